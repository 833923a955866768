"""From texts to the corpus folder: fill splits, tokenize once, count, write."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mono_s2s import files
from mono_s2s.corpus import duplicates, generated, hub, jsonl, pretraining, tokenizer
from mono_s2s.corpus.generated import Story
from mono_s2s.corpus.reading import ENCODING_KEYS, Encoding
from mono_s2s.corpus.texts import Text
from mono_s2s.files import BadInput
from mono_s2s.sources import Corpus

PRETRAINING = "pretraining"
Drafts = list[tuple[str, Text]]


@dataclass(frozen=True)
class Gathered:
    """What the source gave."""

    splits: dict[str, list[Text]]
    # Copies left out, by where they stood (`duplicates.fill`), and rows without text, by the parameter of their source.
    duplicates: dict[str, int]
    empty: dict[str, int]
    # Documents that two splits share: all 0.
    overlaps: dict[str, int]
    # Tasks and documents of pretraining; none for a hub model.
    drafts: Drafts


def gather(settings: Corpus, raw: Path, root: Path) -> Gathered:
    """Fill the splits from their source and draw the pretraining tasks.

    Args:
        settings: the scale file's section.
        raw: the folder in which JSONL files must lie, relative to `root`.
        root: the top folder.

    Raises:
        BadInput: see the sources.
    """
    source, wanted = settings.source, settings.pretraining
    if source.kind == "generated":
        pools = generated.pools(source)
        if wanted is not None:
            pools.append(generated.pretraining(source, wanted.documents, wanted.mix))
    else:
        pools = jsonl.pools(source, raw, root) if source.kind == "jsonl" else hub.pools(source)
    splits, dropped = duplicates.fill(pools)
    shared = duplicates.overlaps(splits)
    empty = {pool.parameter: pool.empty for pool in pools if pool.empty}
    drafts: Drafts = [(text.task, text) for text in splits.pop(PRETRAINING, []) if isinstance(text, Story)]
    if wanted is not None and source.kind != "generated":
        # Self-supervised, and from training documents alone: nothing held out can reach pretraining.
        drafts = pretraining.drafts(splits["train"], wanted.documents, wanted.mix, source.data_seed)
    return Gathered(splits, dropped, empty, shared, drafts)


def make_tokenizer(settings: Corpus, train: Sequence[Text], drafts: Drafts, folder: Path) -> tokenizer.Vocabulary:
    """Train the tokenizer on training and pretraining text, or load the hub model's; leave it in `folder`."""
    if settings.tokenizer.kind == "load":
        tokenizer.load(settings.tokenizer, folder)
        return tokenizer.read(folder)
    # Every input starts with a prefix, so the prefixes count as often as the documents.
    words = []
    for text in train:
        words += [settings.prefix, text.document, *text.references]
    for task, text in drafts:
        words += [pretraining.PREFIXES[task]] if task in pretraining.PREFIXES else []
        if isinstance(text, Story):
            words += [text.document, text.headline if task == "headline" else text.record]
    tokenizer.train(settings.tokenizer, words, folder, settings.max_input_tokens)
    return tokenizer.read(folder)


def encoding_of(settings: Corpus, vocabulary: tokenizer.Vocabulary) -> Encoding:
    """How this corpus becomes ids; its digest and what training never showed come last (`build`).

    Raises:
        BadInput: the prefix leaves no room for a document, or holds unknown tokens.
    """
    prefix_ids = tuple(next(vocabulary.encode([settings.prefix])))
    if set(prefix_ids) & vocabulary.forbidden_ids:
        raise BadInput(f"corpus.prefix: {settings.prefix!r} has tokens that the tokenizer does not know")
    encoding = Encoding(
        architecture="encoder-decoder",
        prefix_ids=prefix_ids,
        pad_id=vocabulary.pad_id,
        eos_id=vocabulary.eos_id,
        # T5's decoder starts from padding.
        start_id=vocabulary.pad_id,
        vocabulary=vocabulary.size,
        forbidden_ids=vocabulary.forbidden_ids,
        max_input_tokens=settings.max_input_tokens,
        max_target_tokens=settings.max_target_tokens,
        data_digest="",
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
    references = vocabulary.encode(reference for text in texts for reference in text.references)
    room, unknown = encoding.room(), 0
    rows, document_tokens, reference_tokens = [], [], []
    for text, ids in zip(texts, documents, strict=True):
        several = [next(references) for _ in text.references]
        document_tokens.append(len(ids))
        reference_tokens += [len(reference) for reference in several]
        unknown += sum(token in vocabulary.forbidden_ids for part in (ids, *several) for token in part)
        rows.append(
            {
                "example_id": text.example_id,
                "source": text.source,
                "document": text.document,
                "references": list(text.references),
                "document_ids": ids[:room],
                "reference_ids": [pretraining.target(reference, encoding) for reference in several],
            }
        )
    facts = {
        "examples": len(texts),
        "sources": dict(sorted(Counter(text.source for text in texts).items())),
        "document_tokens": lengths(document_tokens),
        "reference_tokens": lengths(reference_tokens),
        "truncated_documents": sum(count > room for count in document_tokens),
        "truncated_references": sum(count >= encoding.max_target_tokens for count in reference_tokens),
        "unknown_tokens": unknown,
    }
    return rows, facts


def build(settings: Corpus, study: str, scale: str, data: Path, raw: Path, root: Path = Path()) -> dict[str, Any]:
    """Write the corpus folder and return the content of data_statistics.json.

    Args:
        settings: the scale file's section.
        study: which study.
        scale: which scale.
        data: the folder to write; must not exist.
        raw: the folder in which JSONL files must lie, relative to `root`.
        root: the top folder.

    Raises:
        BadInput: see the sources, `tokenizer` and `encoding_of`.
    """
    found = gather(settings, raw, root)
    splits, drafts = found.splits, found.drafts
    ids = Counter(text.example_id for texts in splits.values() for text in texts)
    for example_id, count in ids.items():
        if count > 1:
            raise BadInput(
                f"corpus.source: the example id {example_id!r} stands twice: name a field with one id an example"
            )
    vocabulary = make_tokenizer(settings, splits["train"], drafts, data / "tokenizer")
    encoding = encoding_of(settings, vocabulary)
    digests, facts, seen = {}, {}, set()
    for name, texts in splits.items():
        rows, facts[name] = split_rows(texts, encoding, vocabulary)
        files.write_jsonl(data / f"{name}.jsonl", rows)
        digests[name] = facts[name]["digest"] = files.sha256(data / f"{name}.jsonl")
        if name == "train":
            seen.update(token for row in rows for ids in (row["document_ids"], *row["reference_ids"]) for token in ids)
    pretraining_facts = None
    if drafts:
        rows = pretraining.rows(drafts, settings.source.data_seed, encoding, vocabulary)
        files.write_jsonl(data / f"{PRETRAINING}.jsonl", rows)
        digests[PRETRAINING] = files.sha256(data / f"{PRETRAINING}.jsonl")
        seen.update(token for row in rows for ids in (row["input_ids"], row["target_ids"]) for token in ids)
        pretraining_facts = {
            "examples": len(rows),
            "tasks": dict(sorted(Counter(task for task, _ in drafts).items())),
            "input_tokens": lengths([len(row["input_ids"]) for row in rows]),
            "target_tokens": lengths([len(row["target_ids"]) for row in rows]),
            "digest": digests[PRETRAINING],
        }
    data_digest = files.digest({"splits": digests, "tokenizer": vocabulary.digest, "prefix_ids": encoding.prefix_ids})
    forbidden = vocabulary.forbidden_ids
    if settings.tokenizer.kind == "train":
        # Byte-pair merges leave ids behind that no text ever has. Their embeddings are noise: an attack that uses them
        # would find untrained rows, not a weakness of what was learned.
        forbidden = forbidden | (frozenset(range(vocabulary.size)) - seen)
    _write_encoding(
        data / "encoding.json", replace(encoding, forbidden_ids=frozenset(forbidden), data_digest=data_digest)
    )
    return {
        "schema_version": 1,
        "study": study,
        "scale": scale,
        "source": settings.source.kind,
        "splits": facts,
        "pretraining": pretraining_facts,
        "overlaps": found.overlaps,
        "duplicates_dropped": found.duplicates,
        "empty_dropped": found.empty,
        "vocabulary": vocabulary.size,
        "attack_vocabulary": vocabulary.size - len(forbidden),
        "tokenizer_digest": vocabulary.digest,
        "data_digest": data_digest,
    }


def _write_encoding(path: Path, encoding: Encoding) -> None:
    values: Mapping[str, Any] = {key: getattr(encoding, key) for key in ENCODING_KEYS}
    content = {**values, "prefix_ids": list(encoding.prefix_ids), "forbidden_ids": sorted(encoding.forbidden_ids)}
    files.write_json(path, {"schema_version": 2, **content})
