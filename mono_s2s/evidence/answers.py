"""What `mono trace` and `mono explain` print, and the status that they exit with."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from mono_s2s.evidence import chain, finding
from mono_s2s.evidence import explain as explaining
from mono_s2s.evidence import trace as tracing
from mono_s2s.evidence.numbers import Place
from mono_s2s.files import BadInput, to_json

# Candidates that are listed.
_MOST = 20


def _print(lines: Sequence[tuple[str, str]]) -> None:
    """Lines with their styles; a pipe gets them plain, and none is cut."""
    console = Console(highlight=False)
    for line, style in lines:
        console.print(Text(line, style=style), soft_wrap=True)


def _complain(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)


def _several(query: str, found: Sequence[str], places: Mapping[str, Place]) -> None:
    """What a query may mean, with the command for each."""
    shown = found[:_MOST]
    width = max(len(key) for key in shown)
    lines = [f"{query}: {len(found)} numbers; choose one:"]
    for key in shown:
        place = places[key]
        where = " | ".join(part for part in (place.row, place.column) if part) or place.study
        lines.append(f"  mono trace {key:<{width}}  {place.text}  ({where})")
    if len(found) > _MOST:
        lines.append(f"  and {len(found) - _MOST} more: add words, such as table_5 or monotonic")
    _complain(*lines)


def trace(query: str, as_json: bool = False) -> int:
    """Print the chain of the number that a query means: 0; 1 if a link does not hold, 2 if it means none, 3 several."""
    try:
        places = tracing.names()
        found = finding.find(query, places)
        traced: dict[str, Any] | None = tracing.trace(found[0], places) if len(found) == 1 else None
    except BadInput as error:
        _complain(f"error: {error}")
        return 2
    if traced is None:
        if as_json:
            print(to_json({"query": query, "candidates": found}), end="")
        if found:
            _several(query, found, places)
            return 3
        near = ", ".join(finding.nearest(query, places))
        _complain(f"error: {query}: no number of the paper" + (f"; nearest: {near}" if near else ""))
        return 2
    if as_json:
        print(to_json(traced), end="")
    else:
        styles = {"BROKEN": "red", traced["key"]: "bold", "Every link holds.": "green"}
        told = chain.plain(chain.lines(traced))
        _print([(line, styles.get(line, styles.get(line.split(" ", 1)[0], ""))) for line in told])
    return 1 if traced["broken"] else 0


def explain(list_numbers: bool = False, as_json: bool = False) -> int:
    """Print which numbers are stale: 0 if none is, 1 if some are, 2 if it cannot be told."""
    try:
        found = explaining.explain()
    except BadInput as error:
        _complain(f"error: {error}")
        return 2
    if as_json:
        print(to_json(found), end="")
    else:
        _print([(line, "bold" if " stale because " in line else "") for line in explaining.words(found, list_numbers)])
    return 1 if found["stale"] else 0
