"""One printed number found by what somebody has of it: its name, some of its words, or the text on the page."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence

from mono_s2s.evidence import formatting
from mono_s2s.evidence.numbers import Place

_WRAPPED = re.compile(r"\\(?:evidence|num)\w*(?:\[[^]]*\])?\{([^}]*)\}")
_TABLE = re.compile(r"\btable[ _~]*(\d+)", re.IGNORECASE)
# What a text on the page may be written like; its spaces go last.
_SAME = (
    (re.compile(r"\\pm|\+/-|\+-"), "±"),
    (re.compile(rf"[{formatting.MINUS}{formatting.DASH}]"), "-"),
    (re.compile(r"(?<=\d)(?:\{,\}|,)(?=\d{3}(?!\d))"), ""),
    (re.compile(rf"\\[;,]|[$%~{formatting.DAGGER}\\]|\s"), ""),
)


def plain(text: str) -> str:
    """A printed number without what LaTeX, a PDF or a keyboard writes otherwise: signs, spaces, thousands, daggers."""
    for pattern, same in _SAME:
        text = pattern.sub(same, text)
    return text


def _numeric(text: str) -> bool:
    return re.match(r"[<\[(]?[-+]?\.?\d", plain(text)) is not None


# What of a number a word is looked for in: the parts of its name between dots, those between underscores too, and the
# words printed at its row and column.
_NAME, _PARTS, _TITLES = range(3)


def _words(key: str, place: Place, where: int) -> list[str]:
    found = key.split(".")
    if where >= _PARTS:
        # hotflip.clean_rougeL answers to clean and to rougeL.
        found += [part for word in found for part in word.split("_")]
    if where >= _TITLES:
        found += re.split(r"[\s./,:%]+", f"{place.row or ''} {place.column or ''}")
    return [word.casefold() for word in found if word]


def _begins(one: str, word: str) -> bool:
    """delta_nll begins delta_nll_per_token; p begins nothing but p."""
    return word == one or word.startswith(f"{one}_")


def _in(one: str, word: str) -> bool:
    return word == one or (len(one) > 2 and one in word)


def _matching(
    asked: Sequence[str], places: Mapping[str, Place], fits: Callable[[str, str], bool], where: int
) -> list[str]:
    found = []
    for key, place in places.items():
        words = _words(key, place, where)
        if all(any(fits(one, word) for word in words) for one in asked):
            found.append(key)
    return found


def _by_words(asked: Sequence[str], places: Mapping[str, Place]) -> list[str]:
    """The numbers that have all the words, in the strictest way in which any number has them."""
    wholes = {key: place for key, place in places.items() if place.part_of is None}
    ways = (
        *((wholes, str.__eq__, _NAME), (places, str.__eq__, _NAME), (wholes, _begins, _NAME)),
        *((wholes, str.__eq__, _PARTS), (wholes, _begins, _TITLES), (wholes, _in, _TITLES)),
    )
    return next((found for among, fits, where in ways if (found := _matching(asked, among, fits, where))), [])


def _by_text(text: str, places: Mapping[str, Place]) -> list[str]:
    wanted = plain(text)
    same = [key for key, place in places.items() if place.text == text]
    same = same or [key for key, place in places.items() if plain(place.text) == wanted]
    wholes = [key for key in same if places[key].part_of is None]
    return wholes or same


def find(query: str, places: Mapping[str, Place]) -> list[str]:
    """Names of the numbers that a query may mean, one for each place that they are read from; empty for none.

    A query is a number's name, `table 5 monotonic success` or other words of its name, row and column, its printed
    text, or text and words together.

    Args:
        query: what is looked for.
        places: every number by its name.
    """
    query = _WRAPPED.sub(r"\1", query).strip()
    for key in places:
        if key.casefold() == query.casefold():
            return [key]
    if found := _by_text(query, places):
        return distinct(found, places)
    parts = [part for part in _TABLE.sub(r"table_\1", query).split() if part not in ("/", "±")]
    narrowed = dict(places)
    for text in (part for part in parts if _numeric(part)):
        narrowed = {key: narrowed[key] for key in _by_text(text, narrowed)}
    asked = [word for part in parts if not _numeric(part) for word in re.split(r"[./,]+", part.casefold()) if word]
    return distinct(_by_words(asked, narrowed), places) if parts else []


def distinct(found: Sequence[str], places: Mapping[str, Place]) -> list[str]:
    """One name for each place: a table's number before the same one in prose."""
    first: dict[tuple[str, str], str] = {}
    for key in found:
        first.setdefault((places[key].source, places[key].pointer), key)
    return list(first.values())


def also(key: str, places: Mapping[str, Place]) -> list[str]:
    """The other names of what stands at a number's place."""
    place = places[key]
    return [
        other
        for other, found in places.items()
        if other != key and (found.source, found.pointer) == (place.source, place.pointer)
    ]


def nearest(query: str, places: Mapping[str, Place], count: int = 5) -> list[str]:
    """The names most like a query."""
    wholes = [key for key, place in places.items() if place.part_of is None]
    return difflib.get_close_matches(_TABLE.sub(r"table_\1", query), wholes, count, cutoff=0.3)
