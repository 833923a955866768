"""Folders of results, ours or foreign: every number of every JSON and CSV file, with where it stands.

Nothing is known of their schema. A run is a folder that holds files of results, or one whose name says that it is a
seed's or a run's; equal places in several runs (same file, same pointer) are the same quantity.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from mono_s2s.files import BadInput

SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv")
# Rows of longer lists are data, not results: no words of a paper could choose one of them.
LONGEST = 60
# A run's folder by its name, wherever its files lie below it.
_RUN = re.compile(r"(?i)^(seed|run|trial|rep(lica)?|fold)[-_ ]?\d+$|seed[-_]?\d+$")
_NUMERIC = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_NON_FINITE = re.compile(r"(?i)[+-]?(nan|inf(inity)?)")


@dataclass(frozen=True)
class Leaf:
    """One number of a file.

    Args:
        pointer: JSON pointer; in a CSV file, /<row from 0>/<column>; of a list's length, the list's.
        keys: names on the way to it, for matching words: a record's own names instead of its place in a list.
        value: the number; exact for what JSON wrote.
        length: it is the length of the list at `pointer`.
    """

    pointer: str
    keys: tuple[str, ...]
    value: Decimal
    length: bool = False


@dataclass
class Run:
    """One folder of results.

    Args:
        name: the folder as it was given or found.
        files: each file's numbers, by the file's path below the folder.
        contents: each file's parsed content.
        non_finite: places of NaN and Infinity, each "file: pointer is NaN".
        unreadable: files that are no valid JSON or CSV, with why.
        other: files that are neither JSON nor CSV.
    """

    name: str
    files: dict[str, list[Leaf]] = field(default_factory=dict)
    contents: dict[str, Any] = field(default_factory=dict)
    non_finite: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def escaped(key: str) -> str:
    """A key as a step of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _constant(name: str) -> float:
    return float(name.replace("Infinity", "inf"))


def _read_csv(text: str, delimiter: str) -> list[dict[str, Any]]:
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    if not rows:
        raise ValueError("empty, not even a header")
    header, found = rows[0], []
    for number, cells in enumerate(rows[1:], start=2):
        if len(cells) != len(header):
            raise ValueError(f"line {number}: {len(cells)} cells under {len(header)} columns")
        found.append({name: _parsed(cell) for name, cell in zip(header, cells, strict=True)})
    return found


def _parsed(cell: str) -> Any:
    text = cell.strip()
    if _NUMERIC.fullmatch(text):
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else Decimal(text)
    if _NON_FINITE.fullmatch(text):
        return float(text)
    return cell


def load(path: Path) -> Any:
    """A file's content: JSON with decimals as written, JSONL as a list, CSV as a list of rows.

    Raises:
        ValueError: it is none of these.
    """
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix in (".csv", ".tsv"):
        return _read_csv(text, "\t" if path.suffix == ".tsv" else ",")
    if path.suffix in (".jsonl", ".ndjson"):
        return [_json(line) for line in text.split("\n") if line.strip()]
    return _json(text)


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_constant=_constant)


def _record_key(record: Mapping[str, Any]) -> str | None:
    """What names a record of a list: its short texts, and its seed where it has one."""
    named = [value for value in record.values() if isinstance(value, str) and 0 < len(value) <= 40]
    seed = [f"seed {value}" for key, value in record.items() if key == "seed" and isinstance(value, int)]
    return " ".join([*named[:4], *seed]) or None


def _finite(content: Any) -> bool:
    if isinstance(content, str):
        return not _NON_FINITE.fullmatch(content.strip().removesuffix("%"))
    return not isinstance(content, float) or math.isfinite(content)


def _name(content: str | float) -> str:
    if isinstance(content, str):
        return content.strip().removesuffix("%")
    return "NaN" if math.isnan(content) else ("Infinity" if content > 0 else "-Infinity")


def _bad(content: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Pointer and name of every number below `content` that is not finite."""
    if isinstance(content, (Mapping, list)):
        for key, value in content.items() if isinstance(content, Mapping) else enumerate(content):
            if isinstance(value, (Mapping, list)) or not _finite(value):
                yield from _bad(value, f"{pointer}/{escaped(str(key))}")
    elif not _finite(content):
        yield pointer, _name(content)


def walk(content: Any, pointer: str = "", keys: tuple[str, ...] = ()) -> Iterator[tuple[Leaf | None, str, str]]:
    """Every number below `content`: a leaf; or None with the pointer and the name of a number that is not finite."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from walk(value, f"{pointer}/{escaped(str(key))}", (*keys, str(key)))
        return
    if isinstance(content, list):
        if content and pointer:
            yield Leaf(pointer, (*keys, "count"), Decimal(len(content)), length=True), pointer, ""
        for place, value in enumerate(content):
            if len(content) > LONGEST:
                # Still looked at for what is not finite.
                yield from ((None, *found) for found in _bad(value, f"{pointer}/{place}"))
                continue
            name = _record_key(value) if isinstance(value, Mapping) else None
            yield from walk(value, f"{pointer}/{place}", (*keys, name if name is not None else f"#{place}"))
        return
    if isinstance(content, bool) or content is None:
        return
    if not _finite(content):
        yield None, pointer, _name(content)
        return
    if isinstance(content, str):
        text = content.strip().removesuffix("%")
        if _NUMERIC.fullmatch(text):
            yield Leaf(pointer, keys, Decimal(text)), pointer, ""
        return
    value = content if isinstance(content, Decimal) else Decimal(repr(content))
    yield Leaf(pointer, keys, value), pointer, ""


def _run_of(path: Path, top: Path) -> Path:
    """The folder that a file belongs to as a run: the nearest one named like a run, else the file's own."""
    for folder in path.relative_to(top).parents:
        if _RUN.search((top / folder).name):
            return top / folder
    return path.parent


def discover(folders: Sequence[Path]) -> list[Run]:
    """The runs below some folders, in the order of the folders, then by name.

    Raises:
        BadInput: a folder is missing, or there is no JSON or CSV file below it.
    """
    runs: dict[str, Run] = {}
    for top in folders:
        if not top.is_dir():
            raise BadInput(f"{top}: no such folder: name the folders that hold result files")
        paths = sorted(path for path in top.rglob("*") if path.is_file() and not _hidden(path.relative_to(top)))
        if not any(path.suffix in SUFFIXES for path in paths):
            raise BadInput(f"{top}: no JSON or CSV file in it or below: name the folders that hold result files")
        for path in paths:
            folder = _run_of(path, top)
            run = runs.setdefault(folder.as_posix(), Run(folder.as_posix()))
            name = path.relative_to(folder).as_posix()
            if path.suffix not in SUFFIXES:
                run.other.append(name)
            elif name not in run.files:
                _take(run, path, name)
    return [run for run in runs.values() if run.files or run.unreadable]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _take(run: Run, path: Path, name: str) -> None:
    try:
        content = load(path)
    except (ValueError, OSError, csv.Error, RecursionError) as error:
        run.unreadable.append(f"{name}: {' '.join(str(error).split())}")
        return
    leaves = []
    for leaf, pointer, bad in walk(content):
        if leaf is None:
            run.non_finite.append(f"{name}: {pointer} is {bad}")
        else:
            leaves.append(leaf)
    if isinstance(content, list):
        leaves.append(Leaf("", ("count",), Decimal(len(content)), length=True))
    run.files[name], run.contents[name] = leaves, content


def _shape(content: Any, pointer: str = "") -> Iterator[str]:
    """The keys of a file; digits in them are left out, so that a run's own seed in a path makes no difference."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _shape(value, f"{pointer}/{re.sub(r'[0-9]+', '#', escaped(str(key)))}")
    elif isinstance(content, list):
        yield f"{pointer}[]"
    else:
        yield pointer


def differences(runs: Sequence[Run]) -> list[str]:
    """Where runs are not alike: files that only some have, and keys that a file has in only some. One line each."""
    found = []
    kin = [run for run in runs if sum(bool(set(run.files) & set(other.files)) for other in runs) > 1]
    for name in sorted({name for run in kin for name in run.files}):
        having = [run for run in kin if name in run.files]
        lacking = [
            run for run in kin if name not in run.files and any(set(run.files) & set(other.files) for other in having)
        ]
        if lacking and len(having) + len(lacking) > 1:
            broken = [run.name for run in lacking if any(line.startswith(f"{name}: ") for line in run.unreadable)]
            absent = [run.name for run in lacking if run.name not in broken]
            if absent:
                found.append(f"{name}: missing in {', '.join(absent)}; {', '.join(run.name for run in having)} has it")
        shapes = {run.name: set(_shape(run.contents[name])) for run in having}
        everywhere = set.union(*shapes.values()) if shapes else set()
        for run in having:
            keys = sorted(everywhere - shapes[run.name])
            if keys:
                more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
                found.append(f"{run.name}/{name}: lacks {', '.join(keys[:3])}{more}, which another run's file has")
    return found
