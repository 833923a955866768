"""What the results say about each printed number: supported, rounding differs, contradicted, or without a source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from mono_s2s.evidence.audit import derived, search, words
from mono_s2s.evidence.audit.matching import Item, best_of, look_up
from mono_s2s.evidence.audit.numbers import Number
from mono_s2s.evidence.audit.results import Leaf
from mono_s2s.evidence.audit.search import Index, Match, Query

SUPPORTED, ROUNDING, CONTRADICTED, UNSOURCED = "supported", "rounding differs", "contradicted", "without a source"
ALLOWED = "allowed"
# Places whose words fit nearly as well as the best one's may be meant, too.
NEARLY = 0.9
# In running text, a number that has nothing to do with the nearest place's is about something else.
FACTOR = Decimal(2)
# Share of a row's and of a column's words that a place must have to be surely meant.
COVERED = 0.7
PERCENT = words.units("%")[0]


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


def sure(index: Index, query: Query, place: int) -> bool:
    """Whether the words leave no doubt that this place is meant."""
    pointed = index.lexicon.pointed
    if not query.strict:
        near = [weight for unit, weight in query.own if place in pointed(unit)]
        last = words.name_words(index.lexicon.places[place][-1])
        named = any(
            weight >= 1.0 and any(words.likeness(form, word) >= 0.7 for form, _ in unit for word in last)
            for unit, weight in query.own
        )
        return len(near) >= 2 and named
    return any(query.axes) and all(_met(index, query, axis, place) for axis in filter(None, query.axes))


def _met(index: Index, query: Query, axis: Sequence[words.Unit], place: int) -> bool:
    """Whether a place has a row's or a column's words."""
    pointed = index.lexicon.pointed
    # A word that names the run has done its work: the run is chosen.
    told = [unit for unit in axis if unit != PERCENT and not (query.runs and index.named([unit]))]
    met = sum(place in pointed(unit) for unit in told)
    # A word that the results do not know is no evidence for another place, but it does leave a doubt.
    return met >= COVERED * sum(1.0 if pointed(unit) else 0.5 for unit in told)


def _counted(index: Index, query: Query, place: int, leaf: Leaf) -> bool:
    """Whether a place has a count where a percentage is printed, and no word names that count."""
    if not query.percent or leaf.value.as_tuple().exponent != 0 or leaf.value in (0, 100):
        return False
    last = words.name_words(index.lexicon.places[place][-1])
    said = {form for unit, _ in query.own for form, share in unit if share == 1}
    return not any(words.likeness(form, word) >= 0.7 for form in said for word in last)


def _at_home(index: Index, item: Item) -> Match | None:
    """What is printed as the table's own run has it: a place with the words of the row or the column, and no other's.

    It may not be what is meant, but while it may be, no other place contradicts.
    """
    query, ranking = item.query, item.ranking
    against = {unit for unit, _ in query.others}
    for match in ranking.strangers if ranking and query.strict else ():
        if match.run != query.home or match.accepted > search.ALPHA * query.forms:
            continue
        foreign = any(match.place in index.lexicon.pointed(unit) for unit in against)
        if not foreign and any(_met(index, query, axis, match.place) for axis in query.axes if axis):
            return match
    return None


def _grade(number: Number, value: Decimal) -> str:
    if search.agrees(number, value):
        return SUPPORTED
    if not number.relation and abs(number.value - value) < number.unit:
        return ROUNDING
    return CONTRADICTED


@dataclass(frozen=True)
class _Option:
    grades: tuple[str, ...]
    distance: float
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


def _distance(number: Number, value: Decimal) -> float:
    """How far apart two numbers are: the size of their ratio, in powers of e, and one for another sign."""
    sizes = [max(abs(entry), number.unit / 2) for entry in (number.value, value)]
    return abs(math.log(sizes[0] / sizes[1])) + (number.value * value < 0)


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
        run = _said_by(index, query, place, order)
        if run is None:
            continue
        for leaves in search.leaves_of(index.values[place][run], query):
            if leaves[0].length and not query.asked & {"n", "n=", "length"}:
                continue
            if _counted(index, query, place, leaves[0]):
                continue
            for change in search.changes(query, leaves[0]):
                values = [change(leaf.value) for leaf in leaves]
                pairs = list(zip(query.numbers, values, strict=True))
                distance = sum(_distance(number, value) for number, value in pairs)
                grades = tuple(_grade(number, value) for number, value in pairs)
                found.append(_Option(grades, distance, place, run, change, leaves))
    return sorted(found, key=lambda option: option.key)


def _said_by(index: Index, query: Query, place: int, order: Sequence[int]) -> int | None:
    """The run whose number a place has to say: the table's own; another only where all that have the place agree."""
    holding = index.holding(place, query)
    if query.home is not None and query.home not in holding and query.study is None and not query.runs:
        beside = index.study(query.home)
        holding = [run for run in holding if run in beside] or holding
    chosen = next((run for run in (query.home, *order) if run in holding), None)
    if chosen is not None or not holding:
        return chosen
    if query.home is None:
        # No run is told from the others, and none of them says what is printed.
        return holding[0]
    said = {
        tuple((role, *(leaf.value for leaf in leaves)) for role, leaves in index.values[place][run].items())
        for run in holding
    }
    return holding[0] if len(said) == 1 else None


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
    for item in items:
        ranking, query = item.ranking, item.query
        if ranking is None:
            continue
        if not query.strict and query.forms <= 10 and not _counts(query):
            item.verdicts = [Verdict(ALLOWED, note="a single digit in running text tells nothing")]
        elif ranking.matches:
            best = best_of(ranking.matches)
            own = next((run for run in (query.home, *order) if run in index.values[best.place]), None)
            chosen = best_of([match for match in ranking.matches if match.run == own] or ranking.matches)
            item.run = chosen.run
            item.verdicts = _supported(index, chosen, item.query)
        elif not (ranking.abroad and _other_run(index, item, best_of(ranking.abroad))):
            item.verdicts = _unmatched(index, item, order)


def _other_run(index: Index, item: Item, best: Match) -> bool:
    """Whether what is printed is another run's number than the rest of the table; it is judged then."""
    home = item.query.home
    leaves = next(search.leaves_of(index.values[best.place][home], item.query), None) if home is not None else None
    if leaves is None:
        return False
    found = []
    for number, leaf, other in zip(item.query.numbers, leaves, best.leaves, strict=True):
        value = best.change(leaf.value)
        file, pointer = _where(index, best.place, home, leaf)
        if search.agrees(number, value):
            found.append(Verdict(SUPPORTED, file, pointer, leaf.value, best.change.name, None))
            continue
        printed = _text(best.change(other.value))
        source, _ = _where(index, best.place, best.run, other)
        note = f"{index.runs[home].name}, which explains the table, says {_text(value)}; {printed} is from {source}"
        found.append(Verdict(CONTRADICTED, file, pointer, leaf.value, best.change.name, None, note))
    if all(verdict.status == SUPPORTED for verdict in found):
        return False
    item.run, item.verdicts = best.run, found
    return True


def _derived(index: Index, item: Item) -> list[Verdict]:
    """A difference or a ratio of two stored numbers, where the words ask for one."""
    pair = derived.find(index, item.query, item.ranking) if item.ranking else None
    if pair is None:
        return []
    file, pointer = _where(index, pair.places[0], pair.run, pair.leaves[0])
    other, second = _where(index, pair.places[1], pair.run, pair.leaves[1])
    against = second if other == file else f"{other}: {second}"
    item.run = pair.run
    confidence = round(1 - min(1.0, pair.accepted / item.query.forms), 4)
    return [Verdict(SUPPORTED, file, pointer, pair.leaves[0].value, f"{pair.how} to {against}", confidence)]


def _unmatched(index: Index, item: Item, order: Sequence[int]) -> list[Verdict]:
    query = item.query
    if found := _derived(index, item):
        return found
    options = _options(index, item, order)
    nothing = [Verdict(UNSOURCED, note=_reason(item)) for _ in query.numbers]
    option = options[0] if options else None
    if option is None:
        return _apart(index, item, order) if len(query.numbers) > 1 else nothing
    if not query.strict and not _plausible(query, option):
        return nothing
    if CONTRADICTED in option.grades and (match := _at_home(index, item)):
        file, pointer = _where(index, match.place, match.run, match.leaves[0])
        return [Verdict(UNSOURCED, note=f"it stands at {file}: {pointer}; {_reason(item)}") for _ in query.numbers]
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
        if number.decimals <= 0 and not number.percent and leaf.value != leaf.value.to_integral_value():
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
        item.runs = item.runs & single.runs if item.runs else single.runs
        item.contested = item.contested or single.contested
        item.run = single.run
    return found
