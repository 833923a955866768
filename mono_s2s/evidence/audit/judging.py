"""What the results say about each printed number: supported, rounding differs, contradicted, or without a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from mono_s2s.evidence.audit import search
from mono_s2s.evidence.audit.numbers import Number
from mono_s2s.evidence.audit.results import Leaf
from mono_s2s.evidence.audit.search import Index, Match, Query, Ranking

SUPPORTED, ROUNDING, CONTRADICTED, UNSOURCED = "supported", "rounding differs", "contradicted", "without a source"
ALLOWED = "allowed"
# Places whose words fit nearly as well as the best one's may be meant, too.
NEARLY = 0.9
# In running text, a number that has nothing to do with the nearest place's is about something else.
FACTOR = Decimal(2)


@dataclass(frozen=True)
class Verdict:
    """What is said of one number.

    Args:
        status: one of the words above.
        file, pointer: where the number stands, or the nearest candidate's place; None without one.
        value: what stands there.
        change: how the printed number comes from it.
        confidence: 1 minus the share of numbers of this form that would have been accepted as well; None where nothing
            matched.
        note: for people: why it is not supported.
    """

    status: str
    file: str | None = None
    pointer: str | None = None
    value: Decimal | None = None
    change: str | None = None
    confidence: float | None = None
    note: str = ""


@dataclass
class Item:
    """One printed quantity on its way through the court."""

    query: Query
    ranking: Ranking | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    # The run that it was found in, and those that print the same.
    run: int | None = None
    runs: frozenset[int] = frozenset()
    contested: bool = False


def _where(index: Index, place: int, run: int, leaf: Leaf) -> tuple[str, str]:
    pointer = leaf.pointer + (" (length)" if leaf.length else "")
    return f"{index.runs[run].name}/{index.files[place]}", pointer


def _supported(index: Index, match: Match, query: Query) -> list[Verdict]:
    confidence = round(1 - min(1.0, match.accepted / query.forms), 4)
    found = []
    for leaf in match.leaves:
        file, pointer = _where(index, match.place, match.run, leaf)
        found.append(Verdict(SUPPORTED, file, pointer, leaf.value, match.change.name, confidence))
    return found


def best_of(matches: Iterable[Match]) -> Match:
    return min(matches, key=lambda match: (match.accepted, match.change.price, -match.score, match.run, match.place))


def look_up(index: Index, items: Sequence[Item]) -> None:
    """Rank the places of every quantity; one whose spread stands nowhere beside its value falls apart into its numbers."""
    for item in items:
        item.ranking = search.rank(index, item.query)
        if item.ranking.matches:
            best = best_of(item.ranking.matches)
            holding = index.values[best.place]
            item.contested = len(holding) > 1 and not item.query.runs
            item.runs = frozenset(match.run for match in item.ranking.matches)


def homes(items: Sequence[Item]) -> list[int]:
    """The runs that a table's quantities may come from, the one that explains most of them first."""
    explained = Counter(run for item in items if item.contested for run in sorted(item.runs))
    return sorted(explained, key=lambda run: (-explained[run], run))


def sure(index: Index, query: Query, place: int) -> bool:
    """Whether the words leave no doubt that this place is meant."""
    pointed = index.lexicon.pointed
    if not query.strict:
        near = [weight for unit, weight in query.own if place in pointed(unit)]
        return len(near) >= 3 and max(near) >= 1.0
    known = [[unit for unit in axis if pointed(unit)] for axis in query.axes if axis]
    if not known or not all(known):
        return False
    return all(any(place in pointed(unit) for unit in units) for units in known)


def _grade(number: Number, value: Decimal) -> str:
    if search.agrees(number, value):
        return SUPPORTED
    if not number.relation and abs(number.value - value) < number.unit:
        return ROUNDING
    return CONTRADICTED


@dataclass(frozen=True)
class _Option:
    grades: tuple[str, ...]
    distance: Decimal
    place: int
    run: int
    change: search.Change
    leaves: tuple[Leaf, ...]

    @property
    def key(self):
        return (
            -sum(grade == SUPPORTED for grade in self.grades),
            -sum(grade == ROUNDING for grade in self.grades),
            self.distance,
            self.change.price,
            self.place,
        )


def _options(index: Index, item: Item, order: Sequence[int]) -> list[_Option]:
    """What the results have at the places that are surely meant, in the table's own run where it has them."""
    ranking, query = item.ranking, item.query
    if ranking is None or not ranking.places:
        return []
    best = ranking.places[0][0]
    found = []
    for score, place in ranking.places:
        if score < NEARLY * best or not sure(index, query, place):
            continue
        holding = list(index.values[place])
        run = next((run for run in order if run in holding), holding[0])
        if query.runs & set(holding):
            run = min(query.runs & set(holding))
        for leaves in search.leaves_of(index.values[place][run], query):
            for change in search.changes(query, leaves[0]):
                values = [change(leaf.value) for leaf in leaves]
                pairs = list(zip(query.numbers, values, strict=True))
                distance = sum(
                    (abs(number.value - value) / max(abs(number.value), abs(value), number.unit) for number, value in pairs),
                    Decimal(0),
                )
                grades = tuple(_grade(number, value) for number, value in pairs)
                found.append(_Option(grades, distance, place, run, change, leaves))
    return sorted(found, key=lambda option: option.key)


def _text(value: Decimal) -> str:
    shown = f"{value.normalize():f}" if abs(value) >= Decimal("1e-6") or value == 0 else f"{value:.3e}"
    return shown if len(shown) <= 12 else f"{value:.6g}"


def _against(index: Index, item: Item, option: _Option, note: str = "") -> list[Verdict]:
    found = []
    pairs = zip(item.query.numbers, option.leaves, option.grades, strict=True)
    for number, leaf, grade in pairs:
        file, pointer = _where(index, option.place, option.run, leaf)
        value = option.change(leaf.value)
        said = ""
        if grade == ROUNDING:
            said = f"{_text(value)} rounds to {_text(max(search.rounded(value, number.unit)))}"
        elif grade == CONTRADICTED:
            said = f"the results say {_text(value)}" + (f"; {note}" if note else "")
        found.append(Verdict(grade, file, pointer, leaf.value, option.change.name, None, said))
    return found


def _elsewhere(index: Index, item: Item, order: Sequence[int]) -> str:
    """Where the printed number does stand, if that is telling: another row's place."""
    ranking = item.ranking
    if ranking is None or item.query.forms < 1000 or not ranking.strangers:
        return ""
    best = min(
        ranking.strangers,
        key=lambda match: (order.index(match.run) if match.run in order else len(order), -match.score, match.place),
    )
    file, pointer = _where(index, best.place, best.run, best.leaves[0])
    return f"what is printed stands at {file}: {pointer}"


def judge(index: Index, items: Sequence[Item], order: Sequence[int]) -> None:
    """Say of each quantity what the results say, given the runs that its table comes from, the first one first."""
    contested = [item for item in items if item.contested]
    home = order[0] if order else None
    settled = home is not None and 2 * sum(home in item.runs for item in contested) > len(contested)
    for item in items:
        matches = item.ranking.matches if item.ranking else []
        if matches:
            best = best_of(matches)
            held = index.values[best.place]
            own = next((run for run in order if run in held), None)
            inside = [match for match in matches if match.run == own]
            if item.contested and settled and own == home and not inside:
                _other_run(index, item, best, home, order)
                continue
            chosen = best_of(inside or matches)
            item.run = chosen.run
            item.verdicts = _supported(index, chosen, item.query)
            continue
        item.verdicts = _unmatched(index, item, order)


def _other_run(index: Index, item: Item, best: Match, home: int, order: Sequence[int]) -> None:
    """Printed is another run's number than the rest of the table."""
    item.run = best.run
    leaves = next(search.leaves_of(index.values[best.place][home], item.query), None)
    if leaves is None:
        item.verdicts = _supported(index, best, item.query)
        return
    name = index.runs[home].name
    file, _ = _where(index, best.place, best.run, best.leaves[0])
    found = []
    for number, leaf, other in zip(item.query.numbers, leaves, best.leaves, strict=True):
        value = best.change(leaf.value)
        here, pointer = _where(index, best.place, home, leaf)
        if search.agrees(number, value):
            found.append(Verdict(SUPPORTED, here, pointer, leaf.value, best.change.name, None))
            continue
        note = (
            f"{name}, which explains the table, says {_text(value)}; {_text(best.change(other.value))} is from {file}"
        )
        found.append(Verdict(CONTRADICTED, here, pointer, leaf.value, best.change.name, None, note))
    item.verdicts = found


def _unmatched(index: Index, item: Item, order: Sequence[int]) -> list[Verdict]:
    query = item.query
    options = _options(index, item, order)
    nothing = [Verdict(UNSOURCED, note=_reason(item)) for _ in query.numbers]
    if not options:
        if len(query.numbers) > 1:
            return _apart(index, item, order)
        return nothing
    option = options[0]
    if not query.strict and not _plausible(query, option):
        return nothing
    return _against(index, item, option, _elsewhere(index, item, order))


def _reason(item: Item) -> str:
    if item.ranking is None or not item.ranking.places:
        return "no place in the results has the words around it"
    return "the words around it leave open which place is meant"


def _plausible(query: Query, option: _Option) -> bool:
    """In running text: the same kind of number, not just the same words."""
    if query.forms < 100 and not any(grade == ROUNDING for grade in option.grades) and not _counts(query):
        return False
    for number, leaf in zip(query.numbers, option.leaves, strict=True):
        value = option.change(leaf.value)
        if value == 0 or number.value == 0 or (value < 0) != (number.value < 0):
            return False
        ratio = abs(value / number.value)
        if not 1 / FACTOR <= ratio <= FACTOR:
            return False
    return True


def _counts(query: Query) -> bool:
    """Whether it is said outright what is counted: n = 200."""
    return "n=" in query.asked


def _apart(index: Index, item: Item, order: Sequence[int]) -> list[Verdict]:
    """The numbers of a quantity one by one, where no place holds them all."""
    found = []
    for number in item.query.numbers:
        role = number if number.role != "bracketed" else replace(number, role="value")
        single = Item(replace(item.query, numbers=[role]))
        look_up(index, [single])
        judge(index, [single], order)
        found += single.verdicts
    return found
