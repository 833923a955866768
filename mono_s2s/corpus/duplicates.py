"""No document twice: neither inside a split nor in two of them.

Public summarization sets overlap (one of the study's training sets holds another one's training and test documents), so
a test document can reach training under another name. Splits are filled in an order of precedence, held-out ones
first, and a later copy of a document is dropped and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from mono_s2s.corpus.texts import Pool, Text
from mono_s2s.files import BadInput


def normalized(document: str) -> str:
    """What makes two documents one: their words, whatever their case and white space."""
    return " ".join(document.casefold().split())


def fill(pools: Iterable[Pool]) -> tuple[dict[str, list[Text]], dict[str, int]]:
    """Fill splits from pools, the first pool first; a copy of a document that is in already is dropped.

    Returns:
        The texts of each split, and how many copies were dropped, by "<split>/<source> copies <split>/<source>" (where
        the copy stood, where the first one does).

    Raises:
        BadInput: a pool has fewer texts than its split is to take, or none; names the parameter.
    """
    splits: dict[str, list[Text]] = {}
    first: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    for pool in pools:
        taken, before = splits.setdefault(pool.split, []), dropped.total()
        added = 0
        texts = iter(pool.texts)
        while pool.take is None or added < pool.take:
            text = next(texts, None)
            if text is None:
                break
            key, place = normalized(text.document), f"{pool.split}/{text.source}"
            if key in first:
                dropped[f"{place} copies {first[key]}"] += 1
                continue
            first[key] = place
            taken.append(text)
            added += 1
        if added < (1 if pool.take is None else pool.take):
            wanted = "at least 1" if pool.take is None else str(pool.take)
            raise BadInput(
                f"{pool.parameter}: {pool.split} is to take {wanted} documents and finds {added} "
                f"({dropped.total() - before} more are duplicates): ask for fewer or give more data"
            )
    return splits, dict(dropped)


def overlaps(splits: Mapping[str, Sequence[Text]]) -> dict[str, int]:
    """How many documents each two splits share, by "<split>/<split>".

    Raises:
        AssertionError: two splits share a document; `fill` would have dropped it.
    """
    keys = {name: {normalized(text.document) for text in texts} for name, texts in splits.items()}
    shared = {f"{a}/{b}": len(keys[a] & keys[b]) for a, b in combinations(sorted(keys), 2)}
    if any(shared.values()):
        raise AssertionError(f"splits share documents: {shared}")
    return shared
