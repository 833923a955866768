"""Which stored numbers a table's quantities are, all of them together: the table tells what it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mono_s2s.evidence.audit import search, words
from mono_s2s.evidence.audit.search import Index, Match, Query, Ranking

if TYPE_CHECKING:
    from mono_s2s.evidence.audit.judging import Verdict


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

    @property
    def best(self) -> Match | None:
        """The best match: in the table's own run, else in another."""
        if self.ranking is None:
            return None
        found = self.ranking.matches or self.ranking.abroad
        return best_of(found) if found else None


def best_of(matches: Iterable[Match]) -> Match:
    """The match that the fewest others could have stood in for."""
    found = list(matches)
    best = min(found, key=lambda match: (match.accepted, match.change.price, -match.score, match.run, match.place))
    values = [leaf.value for leaf in best.leaves]
    copies = [match for match in found if match.run == best.run and [leaf.value for leaf in match.leaves] == values]
    # Files repeat each other's numbers; of copies, that in the file that most runs have can tell the runs apart.
    return max(copies, key=lambda match: (match.held, match is best, match.score, -match.place))


def _seed(index: Index, query: Query) -> Match | None:
    """In running text "seed 42" and lists of seeds: a seed is known by its key, however short it is."""
    number = query.numbers[0]
    if "seed" not in query.asked or number.decimals != 0 or len(query.numbers) > 1:
        return None
    for place, names in enumerate(index.lexicon.places):
        key = next((name for name in reversed(names) if not name.startswith("#")), "")
        if "seed" not in words.name_words(key):
            continue
        for run in index.holding(place, query):
            for leaf in index.values[place][run].get("value", []):
                if leaf.value == number.value and not leaf.length:
                    return Match(place, run, search.SAME, (leaf,), 0.0, 1, 1)
    return None


def look_up(index: Index, items: Sequence[Item]) -> None:
    """Rank the places of every quantity of a table: once by words alone, then knowing what the table is about."""
    for item in items:
        _look_up(index, item)
    home = home_of(items)
    idle = _idle(index, items)
    for item in items:
        if item.query.strict and (home is not None or item.query.loose):
            # A cell of its own table; running text has neither a table's run nor its caption's words.
            item.query = replace(item.query, home=home, loose=frozenset(), own=_without(item.query, idle))
            contested = item.contested
            _look_up(index, item)
            item.contested = item.contested or (contested and bool(item.ranking and item.ranking.abroad))
    _assign(index, items)


def _without(query: Query, idle: frozenset) -> list:
    return [(unit, weight) for unit, weight in query.own if not (unit in idle and unit in query.loose)]


def _look_up(index: Index, item: Item) -> None:
    item.ranking = search.rank(index, item.query)
    if not item.query.strict and not item.ranking.matches and (match := _seed(index, item.query)):
        item.ranking.matches.append(match)
    item.runs = frozenset(match.run for match in [*item.ranking.matches, *item.ranking.abroad])
    if item.best:
        item.contested = len(index.values[item.best.place]) > 1 and not item.query.runs


def _idle(index: Index, items: Sequence[Item]) -> frozenset:
    """Words of the caption that most of the table's numbers, once found, turn out to have nothing to do with."""
    matched = [(item, best_of(item.ranking.matches).place) for item in items if item.ranking and item.ranking.matches]
    units = {unit for item, _ in matched for unit in item.query.loose}
    return frozenset(
        unit for unit in units if 2 * sum(place in index.lexicon.pointed(unit) for _, place in matched) < len(matched)
    )


def _assign(index: Index, items: Sequence[Item]) -> None:
    """Give a quantity the place that its words rule out, where the places they prefer belong to others of the table.

    Two rows "loss" and "loss, %" both point to the key `loss`; once the first has it, the second may be the other key
    that says what is printed. A place that another cell has is never given twice: that is how a copied row shows.
    """
    taken = {best_of(item.ranking.matches).place for item in items if item.ranking and item.ranking.matches}
    for item in items:
        ranking = item.ranking
        if ranking is None or ranking.matches or ranking.abroad or not item.query.strict or item.query.forms < 1000:
            continue
        for match in ranking.strangers:
            away = item.query.home in index.values[match.place] and match.run != item.query.home
            if match.place in taken or away or match.accepted > search.ALPHA * item.query.forms:
                continue
            if all(rival in taken for rival in ranking.better(index, match.place)):
                ranking.matches.append(match)
                item.runs = frozenset((match.run,))
                taken.add(match.place)
                break


def home_of(items: Sequence[Item]) -> int | None:
    """The run that explains more than half of a table's quantities; None where no run does."""
    order = homes(items)
    explained = sum(bool(item.runs) for item in items)
    return order[0] if order and 2 * sum(order[0] in item.runs for item in items) > explained else None


def homes(items: Sequence[Item]) -> list[int]:
    """The runs that a table's quantities may come from, the one that explains most of them first."""
    contested = [item for item in items if item.contested] or items
    explained = Counter(run for item in contested for run in sorted(item.runs))
    return sorted(explained, key=lambda run: (-explained[run], run))
