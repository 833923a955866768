"""From texts to the corpus folder: fill splits, tokenize once, count, write."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mono_s2s import files
from mono_s2s.corpus import duplicates, generated, hub, jsonl, pretraining, tokenizer
from mono_s2s.corpus.generated import Story
from mono_s2s.corpus.reading import ENCODING_KEYS, Encoding
from mono_s2s.corpus.texts import Text
from mono_s2s.files import BadInput
from mono_s2s.scale import Corpus

PRETRAINING = "pretraining"
Splits = dict[str, list[Text]]
Drafts = list[tuple[str, Text]]


def raw_files(settings: Corpus) -> list[str]:
    """The files outside the project's code that the corpus is made from, relative to the top folder, sorted."""
    source = settings.source
    if source.kind != "jsonl":
        return []
    return sorted({file.path for file in (*source.train, *source.test.values())})


def gather(settings: Corpus, root: Path) -> tuple[Splits, dict[str, int], dict[str, int], Drafts]:
    """Fill the splits from their source and draw the pretraining tasks.

    Args:
        settings: the scale file's section.
        root: the top folder, to which paths of JSONL files are relative.

    Returns:
        Texts by split; duplicates dropped, by where they stood; documents shared by each two splits (all 0); tasks and
        documents of pretraining, none without `settings.pretraining`.

    Raises:
        BadInput: see the sources.
    """
    source, wanted = settings.source, settings.pretraining
    if source.kind == "generated":
        pools = generated.pools(source)
        if wanted is not None:
            pools.append(generated.pretraining(source, wanted.documents, wanted.mix))
        splits, dropped = duplicates.fill(pools)
        shared = duplicates.overlaps(splits)
        drafts: Drafts = [(text.task, text) for text in splits.pop(PRETRAINING, []) if isinstance(text, Story)]
        return splits, dropped, shared, drafts
    pools = jsonl.pools(source, root) if source.kind == "jsonl" else hub.pools(source)
    splits, dropped = duplicates.fill(pools)
    shared = duplicates.overlaps(splits)
    if wanted is None:
        return splits, dropped, shared, []
    # Self-supervised, and from training documents alone: nothing held out can reach pretraining.
    return splits, dropped, shared, pretraining.drafts(splits["train"], wanted.documents, wanted.mix, source.data_seed)


def make_tokenizer(settings: Corpus, train: Sequence[Text], drafts: Drafts, folder: Path) -> tokenizer.Vocabulary:
    """Train the tokenizer on training and pretraining text, or load the hub model's; leave it in `folder`."""
    if settings.tokenizer.kind == "load":
        tokenizer.load(settings.tokenizer, folder)
        return tokenizer.read(folder)
    words = [settings.prefix]
    for text in train:
        words += [text.document, *text.references]
    for task, text in drafts:
        if isinstance(text, Story):
            words += [text.document, text.headline if task == "headline" else text.record, pretraining.RECORD_PREFIX]
        elif task == "gap":
            words.append(pretraining.GAP_PREFIX)
    tokenizer.train(settings.tokenizer, words, folder, settings.max_input_tokens)
    return tokenizer.read(folder)


def encoding_of(settings: Corpus, vocabulary: tokenizer.Vocabulary, data_digest: str = "") -> Encoding:
    """How this corpus becomes ids.

    Raises:
        BadInput: the prefix leaves no room for a document, or holds unknown tokens.
    """
    prefix_ids = tuple(vocabulary.encode([settings.prefix])[0])
    if set(prefix_ids) & vocabulary.forbidden_ids:
        raise BadInput(f"corpus.prefix: {settings.prefix!r} has tokens that the tokenizer does not know")
    encoding = Encoding(
        prefix_ids=prefix_ids,
        pad_id=vocabulary.pad_id,
        eos_id=vocabulary.eos_id,
        # T5's decoder starts from padding.
        start_id=vocabulary.pad_id,
        vocabulary=vocabulary.size,
        forbidden_ids=vocabulary.forbidden_ids,
        max_input_tokens=settings.max_input_tokens,
        max_target_tokens=settings.max_target_tokens,
        data_digest=data_digest,
        _tokenizer=vocabulary.tokenizer,
    )
    encoding.room()
    return encoding


def lengths(counts: Sequence[int]) -> dict[str, Any]:
    """Lengths in tokens: mean, sd (ddof=1; 0 for one text), median, minimum, maximum, total."""
    return {
        "mean": statistics.fmean(counts),
        "sd": statistics.stdev(counts) if len(counts) > 1 else 0.0,
        "median": float(statistics.median(counts)),
        "minimum": min(counts),
        "maximum": max(counts),
        "total": sum(counts),
    }


def split_rows(
    texts: Sequence[Text], encoding: Encoding, vocabulary: tokenizer.Vocabulary
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of a split's file, and its facts but the digest."""
    documents = vocabulary.encode(text.document for text in texts)
    references = iter(vocabulary.encode(reference for text in texts for reference in text.references))
    grouped = [[next(references) for _ in text.references] for text in texts]
    unknown = vocabulary.forbidden_ids
    rows = [
        {
            "example_id": text.example_id,
            "source": text.source,
            "document": text.document,
            "references": list(text.references),
            "document_ids": ids[: encoding.room()],
            "reference_ids": [pretraining.target(reference, encoding) for reference in several],
        }
        for text, ids, several in zip(texts, documents, grouped, strict=True)
    ]
    flat = [reference for several in grouped for reference in several]
    facts = {
        "examples": len(texts),
        "sources": dict(sorted(Counter(text.source for text in texts).items())),
        "document_tokens": lengths([len(ids) for ids in documents]),
        "reference_tokens": lengths([len(ids) for ids in flat]),
        "truncated_documents": sum(len(ids) > encoding.room() for ids in documents),
        "truncated_references": sum(len(ids) >= encoding.max_target_tokens for ids in flat),
        "unknown_tokens": sum(token in unknown for ids in (*documents, *flat) for token in ids),
    }
    return rows, facts


def build(settings: Corpus, study: str, scale: str, data: Path, root: Path = Path()) -> dict[str, Any]:
    """Write the corpus folder and return the content of data_statistics.json.

    Args:
        settings: the scale file's section.
        study: which study.
        scale: which scale.
        data: the folder to write; must not exist.
        root: the top folder, to which paths of JSONL files are relative.

    Raises:
        BadInput: see the sources, `tokenizer` and `encoding_of`.
    """
    splits, dropped, shared, drafts = gather(settings, root)
    for name, texts in splits.items():
        repeated = [key for key, count in Counter(text.example_id for text in texts).items() if count > 1]
        if repeated:
            raise BadInput(f"{name}: the example id {repeated[0]!r} stands twice: name a field with one id an example")
    vocabulary = make_tokenizer(settings, splits["train"], drafts, data / "tokenizer")
    encoding = encoding_of(settings, vocabulary)
    digests, facts = {}, {}
    for name, texts in splits.items():
        rows, facts[name] = split_rows(texts, encoding, vocabulary)
        files.write_jsonl(data / f"{name}.jsonl", rows)
        digests[name] = facts[name]["digest"] = files.sha256(data / f"{name}.jsonl")
    pretraining_facts = None
    if drafts:
        rows = pretraining.rows(drafts, settings.source.data_seed, encoding, vocabulary)
        files.write_jsonl(data / f"{PRETRAINING}.jsonl", rows)
        digests[PRETRAINING] = files.sha256(data / f"{PRETRAINING}.jsonl")
        pretraining_facts = {
            "examples": len(rows),
            "tasks": dict(sorted(Counter(task for task, _ in drafts).items())),
            "input_tokens": lengths([len(row["input_ids"]) for row in rows]),
            "target_tokens": lengths([len(row["target_ids"]) for row in rows]),
            "digest": digests[PRETRAINING],
        }
    data_digest = files.digest({"splits": digests, "tokenizer": vocabulary.digest, "prefix_ids": encoding.prefix_ids})
    _write_encoding(data / "encoding.json", encoding_of(settings, vocabulary, data_digest))
    return {
        "schema_version": 1,
        "study": study,
        "scale": scale,
        "source": settings.source.kind,
        "splits": facts,
        "pretraining": pretraining_facts,
        "overlaps": shared,
        "duplicates_dropped": dropped,
        "vocabulary": vocabulary.size,
        "tokenizer_digest": vocabulary.digest,
        "data_digest": data_digest,
    }


def _write_encoding(path: Path, encoding: Encoding) -> None:
    values: Mapping[str, Any] = {key: getattr(encoding, key) for key in ENCODING_KEYS}
    content = {**values, "prefix_ids": list(encoding.prefix_ids), "forbidden_ids": sorted(encoding.forbidden_ids)}
    files.write_json(path, {"schema_version": 1, **content})
