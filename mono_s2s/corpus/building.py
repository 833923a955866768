"""From texts to the corpus folder: fill splits, tokenize once, count, write."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

from mono_s2s import files
from mono_s2s.corpus import duplicates, generated, hub, jsonl, pretraining, text_building, tokenizer
from mono_s2s.corpus.generated import Story
from mono_s2s.corpus.reading import ENCODING_KEYS, Encoding
from mono_s2s.corpus.texts import Pool, Text, Tokenized
from mono_s2s.files import BadInput
from mono_s2s.sources import Corpus, TextCorpus

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
    drafts: Drafts = field(default_factory=list)
    # Texts that a decoder-only model is pretrained on; none for a hub model.
    passages: list[Text] = field(default_factory=list)


def gather(settings: Corpus | TextCorpus, raw: Path, root: Path) -> Gathered:
    """Fill the splits from their source and draw the pretraining tasks.

    Args:
        settings: the scale file's section.
        raw: the folder in which files must lie, relative to `root`.
        root: the top folder.

    Raises:
        BadInput: see the sources.
    """
    pools, short = text_building.pools(settings, raw, root) if _is_text(settings) else (_pools(settings, raw, root), {})
    splits, dropped = duplicates.fill(pools)
    shared = duplicates.overlaps(splits)
    empty = {pool.parameter: pool.empty for pool in pools if pool.empty} | short
    shown = splits.pop(PRETRAINING, [])
    if _is_text(settings):
        return Gathered(splits, dropped, empty, shared, passages=shown)
    drafts: Drafts = [(text.task, text) for text in shown if isinstance(text, Story)]
    source, wanted = settings.source, settings.pretraining
    if wanted is not None and source.kind != "generated":
        # Self-supervised, and from training documents alone: nothing held out can reach pretraining.
        drafts = pretraining.drafts(splits["train"], wanted.documents, wanted.mix, source.data_seed)
    return Gathered(splits, dropped, empty, shared, drafts)


def _is_text(settings: Corpus | TextCorpus) -> TypeGuard[TextCorpus]:
    return isinstance(settings, TextCorpus)


def _pools(settings: Corpus, raw: Path, root: Path) -> list[Pool]:
    source, wanted = settings.source, settings.pretraining
    if source.kind != "generated":
        return jsonl.pools(source, raw, root) if source.kind == "jsonl" else hub.pools(source)
    pools = generated.pools(source)
    return pools if wanted is None else [*pools, generated.pretraining(source, wanted.documents, wanted.mix)]


def make_tokenizer(settings: Corpus | TextCorpus, found: Gathered, folder: Path) -> tokenizer.Vocabulary:
    """Train the tokenizer on training and pretraining text, or load the hub model's; leave it in `folder`."""
    if settings.tokenizer.kind == "load":
        tokenizer.load(settings.tokenizer, folder, _is_text(settings))
        return tokenizer.read(folder, _is_text(settings))
    if _is_text(settings):
        words = [text.document for text in (*found.splits["train"], *found.passages)]
        longest = 1 + settings.block_tokens
    else:
        words, longest = _words(settings, found), settings.max_input_tokens
    tokenizer.train(settings.tokenizer, words, folder, longest)
    return tokenizer.read(folder)


def _words(settings: Corpus, found: Gathered) -> list[str]:
    # Every input starts with a prefix, so the prefixes count as often as the documents.
    words = []
    for text in found.splits["train"]:
        words += [settings.prefix, text.document, *text.references]
    for task, text in found.drafts:
        words += [pretraining.PREFIXES[task]] if task in pretraining.PREFIXES else []
        if isinstance(text, Story):
            words += [text.document, text.headline if task == "headline" else text.record]
    return words


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


def tokenized(texts: Sequence[Text], encoding: Encoding, vocabulary: tokenizer.Vocabulary) -> Tokenized:
    """A split of documents and summaries in tokens."""
    documents = vocabulary.encode(text.document for text in texts)
    references = vocabulary.encode(reference for text in texts for reference in text.references)
    room, found = encoding.room(), Tokenized()
    for text, ids in zip(texts, documents, strict=True):
        several = [next(references) for _ in text.references]
        found.document_tokens.append(len(ids))
        found.reference_tokens += [len(reference) for reference in several]
        found.unknown_tokens += sum(token in vocabulary.forbidden_ids for part in (ids, *several) for token in part)
        found.truncated_documents += len(ids) > room
        found.truncated_references += sum(len(reference) >= encoding.max_target_tokens for reference in several)
        found.rows.append(
            {
                "example_id": text.example_id,
                "source": text.source,
                "document": text.document,
                "references": list(text.references),
                "document_ids": ids[:room],
                "reference_ids": [pretraining.target(reference, encoding) for reference in several],
            }
        )
    return found


def split_facts(found: Tokenized, path: Path) -> dict[str, Any]:
    """What data_statistics.json says about a split whose rows lie at `path`."""
    return {
        "examples": len(found.rows),
        "sources": dict(sorted(Counter(row["source"] for row in found.rows).items())),
        "document_tokens": lengths(found.document_tokens),
        "reference_tokens": lengths(found.reference_tokens),
        "truncated_documents": found.truncated_documents,
        "truncated_references": found.truncated_references,
        "unknown_tokens": found.unknown_tokens,
        "digest": files.sha256(path),
    }


def _pretraining_rows(
    settings: Corpus | TextCorpus, found: Gathered, encoding: Encoding, vocabulary: tokenizer.Vocabulary
) -> list[dict[str, Any]]:
    if not _is_text(settings):
        return pretraining.rows(found.drafts, settings.source.data_seed, encoding, vocabulary) if found.drafts else []
    if not found.passages:
        return []
    blocks = text_building.tokenized(PRETRAINING, found.passages, settings, vocabulary)
    return text_building.pretraining_rows(blocks, encoding)


def build(
    settings: Corpus | TextCorpus, study: str, scale: str, data: Path, raw: Path, root: Path = Path()
) -> dict[str, Any]:
    """Write the corpus folder and return the content of data_statistics.json.

    Args:
        settings: the scale file's section.
        study: which study.
        scale: which scale.
        data: the folder to write; must not exist.
        raw: the folder in which files must lie, relative to `root`.
        root: the top folder.

    Raises:
        BadInput: see the sources, `tokenizer`, `encoding_of` and `text_building.tokenized`.
    """
    found = gather(settings, raw, root)
    ids = Counter(text.example_id for texts in found.splits.values() for text in texts)
    for example_id, count in ids.items():
        if count > 1:
            raise BadInput(
                f"corpus.source: the example id {example_id!r} stands twice: name a field with one id an example"
            )
    vocabulary = make_tokenizer(settings, found, data / "tokenizer")
    encoding = (text_building.encoding_of if _is_text(settings) else encoding_of)(settings, vocabulary)
    digests, facts, seen = {}, {}, set()
    for name, texts in found.splits.items():
        if _is_text(settings):
            split = text_building.tokenized(name, texts, settings, vocabulary)
        else:
            split = tokenized(texts, encoding, vocabulary)
        path = data / f"{name}.jsonl"
        files.write_jsonl(path, split.rows)
        facts[name] = split_facts(split, path)
        digests[name] = facts[name]["digest"]
        if name == "train":
            for row in split.rows:
                seen.update(row["document_ids"], *row["reference_ids"])
    pretraining_facts = None
    if rows := _pretraining_rows(settings, found, encoding, vocabulary):
        path = data / f"{PRETRAINING}.jsonl"
        files.write_jsonl(path, rows)
        digests[PRETRAINING] = files.sha256(path)
        for row in rows:
            seen.update(row["input_ids"], row["target_ids"])
        pretraining_facts = {
            "examples": len(rows),
            "tasks": dict(sorted(Counter(row["task"] for row in rows).items())),
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
