"""Differences and ratios of two stored numbers, where the words name both sides: "3.2 points below the baseline".

Pairs are many, and so are coincidences: both numbers must be of the same kind (their places differ in one name only)
and of the same run, each side's name must be said, and so must that it is a difference. What is accepted is counted as
in `search`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from mono_s2s.evidence.audit import words
from mono_s2s.evidence.audit.numbers import WIDE, Number, rounded
from mono_s2s.evidence.audit.results import Leaf
from mono_s2s.evidence.audit.search import ALPHA, Index, Query, Ranking, same_form

_ABSOLUTE = frozenset(("difference", "gap", "points", "point", "delta", "minus", "gain", "loses", "gains", "margin"))
_RELATIVE = frozenset(
    "reduction reduces reduced decrease decreases increase increases relative drop drops fewer less more lower higher "
    "improvement improves degradation".split()
)
_RATIO = frozenset(("times", "ratio", "factor", "twice", "fold"))
# Pairs are made of the best-fitting places only.
_PLACES = 60


@dataclass(frozen=True)
class Pair:
    """Two stored numbers whose difference or ratio is what is printed."""

    places: tuple[int, int]
    run: int
    leaves: tuple[Leaf, Leaf]
    how: str
    value: Decimal
    accepted: int


def _said(query: Query, name: str, other: str) -> bool:
    """Whether a word names `name` and not `other`."""
    mine, theirs = words.name_words(name), words.name_words(other)
    return any(
        max((share * words.likeness(form, word) for form, share in unit for word in mine), default=0.0)
        > 0.4 + max((share * words.likeness(form, word) for form, share in unit for word in theirs), default=0.0)
        for unit, _ in query.own
    )


def _forms(query: Query, first: Decimal, second: Decimal) -> Iterator[tuple[str, Decimal]]:
    difference = WIDE.subtract(first, second)
    share = max(abs(first), abs(second)) <= 1
    if query.asked & (_ABSOLUTE | _RELATIVE):
        yield "difference", difference
        if share:
            yield "difference x 100", difference * 100
    if query.asked & _RELATIVE and query.percent and second != 0:
        yield "difference in percent", Decimal(100) * difference / second
    if query.asked & _RATIO and second != 0:
        yield "ratio", first / second


def _agrees(number: Number, value: Decimal) -> bool:
    """A difference may be printed without its sign: the words say the direction."""
    printed = rounded(value, number.unit)
    return number.value in printed or (number.value > 0 and -number.value in printed)


def find(index: Index, query: Query, ranking: Ranking) -> Pair | None:
    """The pair whose difference or ratio a single printed number is, if words and count allow it."""
    if len(query.numbers) != 1 or query.forms < 100 or not query.asked & (_ABSOLUTE | _RELATIVE | _RATIO):
        return None
    number = query.numbers[0]
    limit = max(2.0, ALPHA * query.forms)
    best = sorted(ranking.considered, key=lambda entry: (-entry[0], entry[1]))[:_PLACES]
    scores = {place: score for score, place in best}
    pairs = sorted(
        (-(score + scores[other]), place, other)
        for score, place in best
        for other in index.rivals(place)
        if other in scores
    )
    seen: set[Decimal] = set()
    for _, place, other in pairs:
        names, others = index.lexicon.places[place], index.lexicon.places[other]
        differing = [(mine, theirs) for mine, theirs in zip(names, others, strict=True) if mine != theirs]
        if not all(_said(query, mine, theirs) and _said(query, theirs, mine) for mine, theirs in differing):
            continue
        for run in sorted(set(index.values[place]) & set(index.values[other])):
            if query.home is not None and run != query.home:
                continue
            for first in index.values[place][run].get("value", []):
                for second in index.values[other][run].get("value", []):
                    for how, value in _forms(query, first.value, second.value):
                        printed = abs(max(rounded(value, number.unit)))
                        if same_form(number, printed):
                            seen.add(printed)
                        if len(seen) > limit:
                            return None
                        if _agrees(number, value):
                            return Pair((place, other), run, (first, second), how, value, max(len(seen), 1))
    return None
