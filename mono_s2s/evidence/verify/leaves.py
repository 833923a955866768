"""Two contents compared leaf by leaf, two texts line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Missing = type("Missing", (), {"__repr__": lambda self: "nothing"})
MISSING = Missing()
# No more of a text than this is shown.
_SHOWN = 70


def leaves(content: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that holds no other, under its JSON pointer (RFC 6901); an empty object or list is a value too."""
    if isinstance(content, Mapping) and content:
        for key, value in content.items():
            yield from leaves(value, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(content, list) and content:
        for place, value in enumerate(content):
            yield from leaves(value, f"{pointer}/{place}")
    else:
        yield pointer, content


def differing(stands: Any, follows: Any) -> list[tuple[str, Any, Any]]:
    """Pointer, what stands there and what follows, of each leaf that is not the same, type and sign included."""
    here, there = dict(leaves(stands)), dict(leaves(follows))
    return [
        (pointer, here.get(pointer, MISSING), there.get(pointer, MISSING))
        for pointer in dict.fromkeys([*there, *here])
        if repr(here.get(pointer, MISSING)) != repr(there.get(pointer, MISSING))
    ]


def _short(text: str, start: int = 0) -> str:
    start = max(0, start - _SHOWN // 3)
    cut = text[start : start + _SHOWN]
    return f"{'…' if start else ''}{cut}{'…' if start + _SHOWN < len(text) else ''}"


def _first(one: str, other: str) -> int:
    """Where two texts part."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _more(number: int, what: str) -> str:
    return f" (and {number} more {what}{'s' if number > 1 else ''})" if number > 0 else ""


def words(name: str, stands: str, follows: str) -> str:
    """In what a file that stands there differs from what follows, which is not the same text."""
    if name.endswith(".json"):
        try:
            found = differing(json.loads(stands), json.loads(follows))
        except ValueError:
            return "not valid JSON"
        if not found:
            return "the same content in another form than files.to_json gives it"
        pointer, here, there = found[0]
        texts = repr(here), repr(there)
        place = _first(*texts)
        return f"{pointer} is {_short(texts[0], place)}, not {_short(texts[1], place)}{_more(len(found) - 1, 'value')}"
    here, there = stands.split("\n"), follows.split("\n")
    places = [
        place for place in range(max(len(here), len(there))) if here[place : place + 1] != there[place : place + 1]
    ]
    first = places[0]
    one, other = ("".join(lines[first : first + 1]) for lines in (here, there))
    place = _first(one, other)
    return f"line {first + 1} is {_short(one, place)!r}, not {_short(other, place)!r}{_more(len(places) - 1, 'line')}"
