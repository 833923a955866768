"""What every source gives: texts in pools, from which splits are taken without duplicates; and what becomes of them."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Text:
    """A document and its reference summaries, not tokenized yet."""

    example_id: str
    # The data set (or domain) that it came from.
    source: str
    document: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Pool:
    """Texts for one split, in the order in which they are to be taken."""

    split: str
    texts: Iterable[Text]
    # How many the split takes from here; None takes all.
    take: int | None
    # Names the parameter to blame if there are too few.
    parameter: str
    # Rows that the source left out because a text is empty.
    empty: int = 0


@dataclass
class Tokenized:
    """A split in tokens: the rows of its file, and what its facts are counted from."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    # Lengths in tokens, one for each document (of a text: its context) and each reference (its block or continuation).
    document_tokens: list[int] = field(default_factory=list)
    reference_tokens: list[int] = field(default_factory=list)
    truncated_documents: int = 0
    truncated_references: int = 0
    # Tokens that the tokenizer has no id of their own for.
    unknown_tokens: int = 0


def seeded(seed: int, stream: str) -> random.Random:
    """A generator of its own for each named stream of a seed, so that one stream's length never moves another."""
    return random.Random(int.from_bytes(hashlib.sha256(f"{seed}/{stream}".encode()).digest()[:8], "big"))


def shuffled(items: Iterable[Text], seed: int, stream: str) -> list[Text]:
    """`items` in a seeded order."""
    mixed = list(items)
    seeded(seed, stream).shuffle(mixed)
    return mixed


# A sentence ends at a line end, or at a stop that white space and something other than a small letter follow.
_BOUNDARY = re.compile(r"\s*\n\s*|(?<=[.!?])\s+(?=[^a-z\s])")


def sentences(text: str) -> list[str]:
    """The sentences (or turns of a dialogue) of a text, none of them empty."""
    return [part for part in _BOUNDARY.split(text.strip()) if part]
