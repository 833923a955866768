"""Plain texts for a decoder-only model: packed into blocks to learn from and to be measured on, cut into context and
continuation to be attacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mono_s2s.corpus import generated, hub, passages
from mono_s2s.corpus.reading import Encoding
from mono_s2s.corpus.texts import Pool, Text, Tokenized
from mono_s2s.corpus.tokenizer import Vocabulary
from mono_s2s.files import BadInput
from mono_s2s.sources import TextCorpus

# A context shorter than this gives an attack nothing to work on.
SHORTEST_CONTEXT = 8
# Split: whether a last piece shorter than a block stays. Held-out text is scored to its last token; training drops it.
TRAINED_ON = ("train", "pretraining")


def pools(settings: TextCorpus, raw: Path, root: Path) -> tuple[list[Pool], dict[str, int]]:
    """The splits' texts from their source, and how many were too short to be attacked, by parameter.

    Whether a text is long enough has to be known before there is a tokenizer to count with, so words are counted: a
    byte-pair tokenizer gives each at least one token.

    Raises:
        BadInput: see the sources.
    """
    source = settings.source
    pretraining = None if settings.pretraining is None else settings.pretraining.documents
    words = settings.continuation_tokens + SHORTEST_CONTEXT
    if source.kind == "generated":
        return generated.text_pools(source, pretraining), {}
    if source.kind == "files":
        return passages.pools(source, raw, root, pretraining, words), {}
    if pretraining is not None:
        raise BadInput(
            "corpus.pretraining: a hub source has no text for it: take it out, or give the text as a file (kind: files)"
        )
    return hub.text_pools(source, words)


def encoding_of(settings: TextCorpus, vocabulary: Vocabulary) -> Encoding:
    """How this corpus becomes ids; its digest and what training never showed come last (`building.build`)."""
    return Encoding(
        architecture="decoder-only",
        prefix_ids=(vocabulary.start_id,),
        pad_id=vocabulary.pad_id,
        eos_id=vocabulary.eos_id,
        start_id=vocabulary.start_id,
        vocabulary=vocabulary.size,
        forbidden_ids=vocabulary.forbidden_ids,
        max_input_tokens=1 + settings.block_tokens - settings.continuation_tokens,
        max_target_tokens=settings.block_tokens,
        data_digest="",
        _tokenizer=vocabulary.tokenizer,
    )


def pack(texts: Iterable[tuple[str, Sequence[int]]], eos_id: int, size: int) -> Iterator[tuple[str, list[int]]]:
    """Ids of texts, one after another with `eos_id` behind each, cut into blocks of `size`; the last may be shorter.

    Args:
        texts: source and ids of each text.
        eos_id: what separates texts.
        size: tokens of a block.

    Yields:
        The source of the text in which the block begins, and the block's ids; concatenated, the blocks are all texts.
    """
    block: list[int] = []
    begun = ""
    for source, ids in texts:
        stream = [*ids, eos_id]
        at = 0
        while at < len(stream):
            if not block:
                begun = source
            taken = stream[at : at + size - len(block)]
            block += taken
            at += len(taken)
            if len(block) == size:
                yield begun, block
                block = []
    if block:
        yield begun, block


def tokenized(name: str, texts: Sequence[Text], settings: TextCorpus, vocabulary: Vocabulary) -> Tokenized:
    """A split's rows: windows of single texts if it is to be attacked, else blocks.

    The texts in the rows are decoded from their ids, special tokens spelled out: for people; models read the ids.

    Raises:
        BadInput: a text is too short to be attacked, or all training texts together too short for one block.
    """
    encoded = vocabulary.encode(text.document for text in texts)
    if name.startswith("attack_"):
        return _windows(name, texts, encoded, settings, vocabulary)
    return _blocks(name, texts, encoded, settings, vocabulary)


def _row(
    example_id: str, source: str, document: list[int], target: list[int], vocabulary: Vocabulary
) -> dict[str, Any]:
    spelled = vocabulary.tokenizer.decode_batch([document, target], skip_special_tokens=False)
    return {
        "example_id": example_id,
        "source": source,
        "document": spelled[0],
        "references": [spelled[1]],
        "document_ids": document,
        "reference_ids": [target],
    }


def _windows(
    name: str, texts: Sequence[Text], encoded: Iterable[list[int]], settings: TextCorpus, vocabulary: Vocabulary
) -> Tokenized:
    """Of each text the first block of tokens: a context, and the continuation that is scored."""
    found = Tokenized()
    for text, ids in zip(texts, encoded, strict=True):
        window = ids[: settings.block_tokens]
        cut = len(window) - settings.continuation_tokens
        if cut < SHORTEST_CONTEXT:
            raise BadInput(
                f"corpus.continuation_tokens: {name} has {text.example_id} of {len(ids)} tokens, which leaves fewer "
                f"than {SHORTEST_CONTEXT} before a continuation of {settings.continuation_tokens}: make it shorter"
            )
        found.rows.append(_row(text.example_id, text.source, window[:cut], window[cut:], vocabulary))
        found.document_tokens.append(cut)
        found.reference_tokens.append(settings.continuation_tokens)
        found.truncated_documents += len(ids) > settings.block_tokens
        found.unknown_tokens += sum(token in vocabulary.forbidden_ids for token in window)
    return found


def _blocks(
    name: str, texts: Sequence[Text], encoded: Iterable[list[int]], settings: TextCorpus, vocabulary: Vocabulary
) -> Tokenized:
    """All texts packed."""
    found = Tokenized()

    def counted() -> Iterator[tuple[str, list[int]]]:
        for text, ids in zip(texts, encoded, strict=True):
            # Before separators come in: those are special tokens too.
            found.unknown_tokens += sum(token in vocabulary.forbidden_ids for token in ids)
            yield text.source, ids

    for number, (source, block) in enumerate(pack(counted(), vocabulary.eos_id, settings.block_tokens), start=1):
        if name in TRAINED_ON and len(block) < settings.block_tokens:
            break
        found.rows.append(_row(f"{name}-{number}", source, [], block, vocabulary))
        found.document_tokens.append(0)
        found.reference_tokens.append(len(block))
    if not found.rows:
        raise BadInput(
            f"corpus.block_tokens: {len(texts)} texts of {name} do not fill one block of {settings.block_tokens} "
            "tokens: give more text or make blocks shorter"
        )
    return found


def pretraining_rows(split: Tokenized, encoding: Encoding) -> list[dict[str, object]]:
    """Blocks as pretraining.jsonl holds them: the start of a text as input, the block as target."""
    return [
        {"task": "text", "input_ids": list(encoding.prefix_ids), "target_ids": row["reference_ids"][0]}
        for row in split.rows
    ]
