"""For a printed quantity and its words: where in the results it may come from, best place first.

A match alone means little: among thousands of numbers, some agree with anything. What counts is how many different
numbers would have been accepted on the way to the match, best-fitting place first. Where these are more than `ALPHA` of
all numbers that could have been printed in this form, a match is called a coincidence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import groupby
from operator import itemgetter

from mono_s2s.evidence.audit import words
from mono_s2s.evidence.audit.numbers import WIDE, Number, rounded
from mono_s2s.evidence.audit.results import Leaf, Run

# Share of the printable numbers that may be accepted for one quantity.
ALPHA = 0.01
# Places that are looked at for one quantity.
DEPTH = 600
# A place that fits this much worse than the best is not looked at once there is a match.
ENOUGH = 0.5
# What it speaks for a place that the run which explains most of the table has it.
HOME = 2.0
_ROLES = {
    "value": "value",
    "mean": "value",
    "sd": "sd",
    "se": "sd",
    "sem": "sd",
    "stderr": "sd",
    "lower": "lower",
    "upper": "upper",
    "median": "median",
    "min": "min",
    "max": "max",
}
_INTERVAL = frozenset(("ci", "interval", "range", "bounds", "confidence", "ci95"))


def _role(keys: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Names of the quantity that a number belongs to, and what the number is of it: its value, sd, lower, ..."""
    *before, last = keys
    if last in ("#0", "#1") and before and _INTERVAL & words.name_words(before[-1]):
        parent, _ = _role(tuple(before))
        rest = [part for part in parent[-1].split("_") if part.lower() not in _INTERVAL]
        return (*parent[:-1], *(["_".join(rest)] if rest else [])), "lower" if last == "#0" else "upper"
    parts = [part for part in last.replace("-", "_").replace(" ", "_").split("_") if part]
    roles = [(part, _ROLES.get(words.canonical(part))) for part in parts]
    told = [role for _, role in roles if role]
    if len(told) != 1:
        return keys, "value"
    rest = [part for part, role in roles if role is None and part.lower() not in _INTERVAL]
    return (*before, *(["_".join(rest)] if rest else [])), told[0]


@dataclass(frozen=True)
class Change:
    """How the printed number comes from the stored one."""

    name: str
    factor: Decimal = Decimal(1)
    shift: Decimal = Decimal(0)
    # What it costs in score to assume it.
    price: float = 0.0

    def __call__(self, value: Decimal) -> Decimal:
        """What is printed of a stored value, before rounding."""
        return WIDE.add(WIDE.multiply(value, self.factor), self.shift)


SAME = Change("as stored")
PERCENT = Change("x 100", Decimal(100), price=0.05)
SHARE = Change("/ 100", Decimal("0.01"), price=0.4)
NEGATED = Change("sign turned", Decimal(-1), price=0.6)
REST = Change("1 - x", Decimal(-1), Decimal(1), price=0.6)
REST_PERCENT = Change("100 (1 - x)", Decimal(-100), Decimal(100), price=0.6)
NEGATED_PERCENT = Change("x -100", Decimal(-100), price=0.6)
MINUTES = Change("/ 60", Decimal(1) / 60, price=0.1)
HOURS = Change("/ 3600", Decimal(1) / 3600, price=0.1)


@dataclass
class Query:
    """One printed quantity: its numbers, and the words that are about it.

    Args:
        numbers: the value with its spread or interval.
        own: units of words with their weights.
        others: units that are about other rows and columns alone.
        axes: the own units by axis (row, column, block); an axis whose words the results know must be met.
        asked: single words around the number, canonical; some transformations need one.
        runs: positions of the runs that the words name, empty for none.
        strict: a table's cell, whose place is told by row and column; not a number in running text.
        loose: the own units that only order places and rule none out: words of a caption that says more.
        home: position of the run that the table comes from, once that is known; for a note, its table's.
        study: positions of the runs beside that one, where only they may be meant; None for all.
    """

    numbers: list[Number]
    own: list[tuple[tuple[tuple[str, float], ...], float]]
    others: list[tuple[tuple[tuple[str, float], ...], float]] = field(default_factory=list)
    axes: list[list[tuple[tuple[str, float], ...]]] = field(default_factory=list)
    asked: frozenset[str] = frozenset()
    runs: frozenset[int] = frozenset()
    strict: bool = True
    loose: frozenset[tuple[tuple[str, float], ...]] = frozenset()
    home: int | None = None
    study: frozenset[int] | None = None

    @property
    def percent(self) -> bool:
        """Whether a percent sign says that it is one."""
        return any(number.percent for number in self.numbers) or "%" in self.asked

    @property
    def forms(self) -> int:
        """How many quantities could have been printed in this form."""
        found = 1
        for number in self.numbers:
            found = min(found * number.forms, 10**12)
        return found


@dataclass(frozen=True)
class Match:
    """A place that says what is printed.

    Args:
        place: its position in the index.
        run: the run's position.
        change: how the printed numbers come from the stored ones.
        leaves: the stored numbers, one for each printed one.
        score: how well the words fit.
        accepted: how many different quantities would have been accepted up to here.
        held: how many runs have this place.
    """

    place: int
    run: int
    change: Change
    leaves: tuple[Leaf, ...]
    score: float
    accepted: int
    held: int


class Index:
    """All quantities of all runs, by the names on the way to them."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self.files: list[str] = []
        self.values: list[dict[int, dict[str, list[Leaf]]]] = []
        numbered: dict[tuple[str, ...], int] = {}
        names: list[tuple[str, ...]] = []
        for position, run in enumerate(runs):
            for file, leaves in run.files.items():
                path = tuple(file.rpartition(".")[0].split("/"))
                for leaf in leaves:
                    keys, role = _role(leaf.keys) if leaf.keys else ((), "value")
                    identity = (file, *keys)
                    if identity not in numbered:
                        numbered[identity] = len(names)
                        names.append((*path, *keys))
                        self.values.append({})
                        self.files.append(file)
                    held = self.values[numbered[identity]].setdefault(position, {})
                    held.setdefault(role, []).append(leaf)
        self.lexicon = words.Lexicon(names)
        self._slots: dict[tuple[tuple[str, ...], tuple[str, ...]], list[int]] = defaultdict(list)
        for number, place in enumerate(names):
            for slot in self._slots_of(place):
                self._slots[slot].append(number)
        self._rivals: dict[int, list[int]] = {}
        self._priors: dict[int | None, list[float]] = {}
        self.run_words = [self._words_of_run(position) for position in range(len(runs))]

    @staticmethod
    def _slots_of(place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        for position in range(len(place)):
            yield place[:position], place[position + 1 :]

    def _words_of_run(self, position: int) -> frozenset[str]:
        """Words of a run's folder that no other run's has."""
        own = words.name_words(self.runs[position].name.rpartition("/")[2])
        for other, run in enumerate(self.runs):
            if other != position:
                own = own - words.name_words(run.name.rpartition("/")[2])
        return own

    def named(self, units: Sequence[tuple[tuple[str, float], ...]]) -> frozenset[int]:
        """The runs whose names are among the words."""
        forms = {form for unit in units for form, share in unit if share == 1.0}
        if len(self.runs) < 2:
            return frozenset()
        return frozenset(position for position, own in enumerate(self.run_words) if forms & own)

    def study(self, run: int) -> frozenset[int]:
        """The runs whose folders lie beside a run's: with it, they are one study."""
        beside = self.runs[run].name.rpartition("/")[0]
        return frozenset(other for other, entry in enumerate(self.runs) if entry.name.rpartition("/")[0] == beside)

    def holding(self, place: int, query: Query) -> list[int]:
        """The runs that have a place and may be meant: those that are named, else those of the study."""
        found = list(self.values[place])
        if query.runs & set(found):
            return [run for run in found if run in query.runs]
        return found if query.study is None else [run for run in found if run in query.study]

    def prior(self, home: int | None) -> Sequence[float]:
        """What speaks for each place before any word does: its plain name, and the table's own run."""
        if home not in self._priors:
            self._priors[home] = [
                (HOME if home in held else 0.0) - cost
                for held, cost in zip(self.values, self.lexicon.cost, strict=True)
            ]
        return self._priors[home]

    def rivals(self, place: int) -> Sequence[int]:
        """Places that differ in a single name: another model's, metric's or data set's number of the same kind."""
        if place not in self._rivals:
            slots = self._slots_of(self.lexicon.places[place])
            self._rivals[place] = [other for slot in slots for other in self._slots[slot] if other != place]
        return self._rivals[place]


def changes(query: Query, leaf: Leaf) -> list[Change]:
    """The transformations that are plausible between a stored number and the printed one."""
    if leaf.length:
        return [SAME]
    printed, stored = query.numbers[0], leaf.value
    found = [SAME]
    share = stored.copy_abs() <= 1 and stored != stored.to_integral_value()
    # A whole number in running text is a count, unless it is said to be a percentage.
    count = not query.strict and printed.decimals <= 0 and not query.asked & {"percent", "point", "points"}
    if query.percent or (share and printed.value.copy_abs() <= 1000 and not count):
        found.append(PERCENT)
    if stored.copy_abs() > 1 and printed.value.copy_abs() <= 1 and printed.decimals >= 2 and not query.percent:
        found.append(SHARE)
    if query.asked & {"drop", "drops", "decrease", "reduction", "fall", "falls", "lower", "lost", "loses", "below"}:
        found += [NEGATED, NEGATED_PERCENT]
    if query.asked & {"error", "remaining", "1-"} and share:
        found += [REST, REST_PERCENT]
    if query.asked & {"minute", "min", "hour", "h"} and "second" in words.name_words(leaf.keys[-1]):
        found += [MINUTES, HOURS]
    return found


def leaves_of(held: Mapping[str, list[Leaf]], query: Query) -> Iterator[tuple[Leaf, ...]]:
    """For each printed number the stored one of its role."""
    chosen: list[list[Leaf]] = []
    for number in query.numbers:
        role = number.role
        if role == "bracketed":
            role = "sd"
        if role == "value":
            told = [word for word in ("sd", "lower", "upper", "median", "min", "max") if word in query.asked]
            role = next((word for word in told if word in held), "value")
            if role == "value" and "value" not in held and len(held) == 1 and query.strict:
                role = next(iter(held))
                if role not in ("median", "min", "max"):
                    return
        if role not in held:
            return
        chosen.append(held[role])
    for place in range(max(len(leaves) for leaves in chosen)):
        yield tuple(leaves[min(place, len(leaves) - 1)] for leaves in chosen)


def agrees(number: Number, value: Decimal) -> bool:
    """Whether the printed number is `value`, rounded to the printed place; or bounds it, where it is a bound."""
    if number.decimals <= 0 and abs(value) < 10 and value != value.to_integral_value():
        # Nobody prints 0.18 as 0: a single digit is a count.
        return False
    if number.relation == "<":
        return 0 <= value < number.value
    if number.relation == ">":
        return value > number.value
    return number.value in rounded(value, number.unit)


@dataclass
class Ranking:
    """The places that may be meant, best first, and what was found there."""

    query: Query
    # How well each place fits as far as words can rule places out; and how well by all words, near ones first.
    flat: Mapping[int, float]
    scores: Mapping[int, float]
    places: list[tuple[float, int]]
    matches: list[Match]
    # Matching places that cannot be meant: another row's, another column's.
    strangers: list[Match]
    # Numbers of other runs than the table's own, at places that may be meant.
    abroad: list[Match]
    # All places that any word points to, best first.
    considered: list[tuple[float, int]]

    def better(self, index: Index, place: int) -> Iterator[int]:
        """The places that rule this one out: they differ in one name and fit the words better."""
        flat, scores = self.flat, self.scores
        enough, score = flat.get(place, 0.0) + 0.05, scores.get(place, 0.0)
        for rival in index.rivals(place):
            if flat.get(rival, 0.0) > enough and scores.get(rival, 0.0) > score:
                held = index.values[rival]
                if any(next(leaves_of(held[run], self.query), None) for run in index.holding(rival, self.query)):
                    yield rival


def rank(index: Index, query: Query) -> Ranking:
    """Look a quantity up."""
    lexicon = index.lexicon
    if not query.strict:
        scores = words.scores(lexicon, query.own, query.others)
        # In running text nearness orders the places, but any word of the sentence may be meant: words are counted.
        flat = Counter(place for unit, _ in query.own if unit not in query.loose for place in lexicon.pointed(unit))
    else:
        binding = [entry for entry in query.own if entry[0] not in query.loose]
        scores = flat = words.scores(lexicon, binding, query.others)
        if len(binding) < len(query.own):
            # Where no binding word points to, other rows' words have nothing to speak against.
            scores = words.scores(lexicon, [entry for entry in query.own if entry[0] in query.loose], [], flat)
    prior = index.prior(query.home)
    best_first = [
        (-round(score + prior[place], 6), place)
        for place, score in scores.items()
        if score > 0 and (query.study is None or index.holding(place, query))
    ]
    ordered = [(-negated, place) for negated, place in sorted(best_first)[:DEPTH]]
    found = Ranking(query, flat, scores, [], [], [], [], ordered)
    seen: set[tuple[Decimal, ...]] = set()
    limit = max(1.0 if query.forms <= 10 else 2.0, ALPHA * query.forms)
    for score, level in groupby(ordered, key=itemgetter(0)):
        if (found.matches or found.abroad) and score < ENOUGH * ordered[0][0]:
            break
        matches: list[Match] = []
        abroad: list[Match] = []
        for _, place in level:
            _look(index, query, place, score, found, seen, matches, abroad)
        if len(seen) > limit:
            if len(found.places) > 40:
                break
            continue
        found.matches += [replace(match, accepted=max(len(seen), 1)) for match in matches]
        found.abroad += abroad
    return found


def same_form(number: Number, value: Decimal) -> bool:
    """Whether a value has as many digits before the point: only then could it have been printed in this form."""
    return _whole_digits(number.value) == _whole_digits(value)


def _whole_digits(value: Decimal) -> int:
    return max(value.adjusted() + 1, 0) if value else 0


def _look(index, query, place, score, found, seen, matches, abroad) -> None:
    """Compare what stands at one place, in every run that may be meant."""
    holding = index.values[place]
    fitting = None
    for run in index.holding(place, query):
        for leaves in leaves_of(holding[run], query):
            if fitting is None:
                fitting = next(found.better(index, place), None) is None
                if fitting:
                    found.places.append((score, place))
            away = query.home is not None and query.home in holding and run != query.home and not query.runs
            kept = abroad if fitting and away else matches if fitting else found.strangers
            for change in changes(query, leaves[0]):
                values = [change(leaf.value) for leaf in leaves]
                if query.numbers[0].role == "lower" and change.factor < 0:
                    continue
                pairs = list(zip(query.numbers, values, strict=True))
                forms = tuple(max(rounded(value, number.unit)) for number, value in pairs)
                if fitting and not away and all(map(same_form, query.numbers, forms)):
                    seen.add(forms)
                if all(agrees(number, value) for number, value in pairs):
                    kept.append(Match(place, run, change, leaves, score, len(seen) + 1, len(holding)))
