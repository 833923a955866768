"""Fresh results against committed ones, number by number: was the study reproduced, and how closely?

Compared are the result files, the per-example files, the aggregates and the raw values of the tables. Not compared is
where times, hosts and versions stand: metadata.json, experiment_log.txt, and the lists made from them.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mono_s2s import paths
from mono_s2s.evidence import experiments, ledger
from mono_s2s.evidence.verify.findings import REPRODUCED
from mono_s2s.evidence.verify.leaves import MISSING, leaves
from mono_s2s.files import BadInput
from mono_s2s.params import Params, load_params

FOLDERS = ("experiment_results", "paper_evidence")
# Hold times, hosts or versions, or are made from such.
LEFT_OUT = ("metadata.json", "experiment_log.txt")
# Columns of per-example files that name or quote something, whatever it looks like.
WORDS = {"dataset", "example_id", "model", "point", "condition", "trigger_source", "changes", "prediction"} | {
    *("arm", "split")
}
_TABLE = re.compile(r"paper_evidence/table_[^/]*\.json")
_CELL = re.compile(r"/rows/\d+/cells/\d+/value(/.*)?")
# Weights that differ in their last bits have other digests.
_CHECKPOINT = re.compile(r"/(initial_)?checkpoints?(/.*)?")


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers may be apart: by `relative` of the larger, or by `absolute`; by nothing, if both are 0."""

    relative: float = 0.0
    absolute: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether no number may differ."""
        return not self.relative and not self.absolute

    def allows(self, there: float, here: float) -> bool:
        """Whether two numbers are close enough."""
        return math.isclose(there, here, rel_tol=self.relative, abs_tol=self.absolute)


@dataclass
class Compared:
    """One file."""

    file: str
    numbers: int = 0
    # Numbers beyond the tolerance, and anything else that differs.
    beyond: int = 0
    # The place of the number that is furthest off, both numbers, and by how much; None where all are equal.
    worst: dict[str, Any] | None = None
    # The first thing that differs and is not a number.
    other: str | None = None
    others: int = 0

    def take(self, place: str, there: Any, here: Any, tolerance: Tolerance) -> None:
        """Take in one value as it was committed and as it is now."""
        if _number(there) and _number(here):
            self.numbers += 1
            if there != here:
                self._off(place, there, here, tolerance)
        elif there != here or isinstance(there, bool) is not isinstance(here, bool):
            self.others += 1
            self.other = self.other or f"{place}: {_shown(there)} there, {_shown(here)} here"

    def _off(self, place: str, there: float, here: float, tolerance: Tolerance) -> None:
        # Counts, seeds and ids are whole numbers; close is not enough for them.
        whole = isinstance(there, int) and isinstance(here, int)
        self.beyond += whole or not tolerance.allows(there, here)
        absolute = abs(there - here)
        relative = absolute / max(abs(there), abs(here))
        if self.worst is None or (relative, absolute) > (self.worst["relative"], self.worst["absolute"]):
            self.worst = {"place": place, "there": there, "here": here, "absolute": absolute, "relative": relative}

    @property
    def same(self) -> bool:
        """Whether nothing is beyond the tolerance."""
        return not self.beyond and not self.others

    def line(self) -> str:
        """For people."""
        said = [f"{self.numbers} numbers, {self.beyond or 'none'} beyond the tolerance"]
        if self.worst is not None:
            worst = self.worst
            said.append(
                f"worst at {worst['place']}: {worst['there']!r} there, {worst['here']!r} here (absolute "
                f"{worst['absolute']:.3g}, relative {worst['relative']:.3g})"
            )
        if self.other is not None:
            more = f" (and {self.others - 1} more)" if self.others > 1 else ""
            said.append(f"besides, {self.other}{more}")
        return f"{self.file}: {'; '.join(said)}"


@dataclass(frozen=True)
class Result:
    """All files."""

    commit: str
    tolerance: Tolerance
    files: list[Compared] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 where everything is within the tolerance."""
        return 0 if all(found.same for found in self.files) else REPRODUCED

    def content(self) -> dict[str, Any]:
        """For programs."""
        return {
            "schema_version": 1,
            "commit": self.commit,
            "tolerance": {"relative": self.tolerance.relative, "absolute": self.tolerance.absolute},
            "reproduced": not self.exit_code,
            "exit_code": self.exit_code,
            "files": [vars(found) for found in self.files],
        }

    def lines(self) -> list[str]:
        """For people: a line for each file that is not equal, and what it comes to."""
        off = [found for found in self.files if not found.same or found.worst is not None]
        tolerance = self.tolerance
        stated = "exact" if tolerance.exact else f"relative {tolerance.relative:g}, absolute {tolerance.absolute:g}"
        beyond = sum(not found.same for found in self.files)
        numbers = sum(found.numbers for found in self.files)
        verdict = (
            f"not reproduced: {beyond} of {len(self.files)} files are beyond the tolerance"
            if beyond
            else f"reproduced: {len(self.files)} files, {len(self.files) - len(off)} of them equal"
        )
        return [*(found.line() for found in off), f"{verdict}; {numbers} numbers against {self.commit[:12]} ({stated})"]


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _cell(text: str) -> Any:
    for kind in (int, float):
        try:
            found = kind(text)
        except ValueError:
            continue
        if math.isfinite(found):
            return found
    return text


def _csv(text: str) -> Iterator[tuple[str, Any]]:
    """Every cell of a CSV, numbers as such, by line and column."""
    reader = csv.reader(io.StringIO(text, newline=""))
    columns = next(reader, [])
    yield "header", columns
    for number, cells in enumerate(reader, start=1):
        if len(cells) != len(columns):
            yield f"row {number}", cells
            continue
        for column, cell in zip(columns, cells, strict=True):
            yield f"row {number}, {column}", cell if column in WORDS else _cell(cell)


def _values(name: str, content: bytes, tolerance: Tolerance) -> dict[str, Any]:
    """What of a file is compared, by place."""
    text = content.decode()
    if name.endswith(".csv"):
        return dict(_csv(text))
    found = dict(leaves(json.loads(text)))
    if _TABLE.fullmatch(name):
        # Their texts follow from the values, and round them.
        return {place: value for place, value in found.items() if _CELL.fullmatch(place)}
    if not tolerance.exact:
        return {place: value for place, value in found.items() if not _CHECKPOINT.fullmatch(place)}
    return found


def compared(name: str, there: bytes | None, here: bytes | None, tolerance: Tolerance) -> Compared:
    """One file as it was committed and as it is now; None where it is not there."""
    result = Compared(name)
    if there is None or here is None:
        sides = [MISSING if content is None else "a file" for content in (there, here)]
        result.take("the file", *sides, tolerance)
        return result
    try:
        values = [_values(name, content, tolerance) for content in (there, here)]
    except ValueError as error:
        result.take("the file", "readable", f"not readable ({error})", tolerance)
        return result
    for place in dict.fromkeys([*values[0], *values[1]]):
        result.take(place, values[0].get(place, MISSING), values[1].get(place, MISSING), tolerance)
    return result


def _is_compared(name: str, params: Params, seeds: Sequence[int]) -> bool:
    path = Path(name)
    folders = [paths.results(study, seed) for study in params.studies for seed in seeds]
    folders += [paths.aggregated(study) for study in params.studies]
    kept = path.suffix in (".json", ".csv") and path.name not in LEFT_OUT
    return (path.parent in folders and kept) or bool(_TABLE.fullmatch(name))


def compare(revision: str, tolerance: Tolerance, root: Path = Path()) -> Result:
    """The results that lie here against those that are committed at `revision`.

    Raises:
        BadInput: no such commit, it holds no results, or a tolerance is negative or not a number.
    """
    for name, value in vars(tolerance).items():
        if not (math.isfinite(value) and value >= 0):
            raise BadInput(f"{name} tolerance: {value} is not a distance: give 0 or more")
    params, commit = load_params(root), experiments.commit_of(revision, root)
    wanted = [(commit, name) for name in (*experiments.names(commit, FOLDERS, root), "params.yaml")]
    held = {name: content for (_, name), content in experiments.contents(wanted, root).items()}
    declared = ledger.parse(held.pop("params.yaml", b"{}").decode())
    old = declared.get("seeds", []) if isinstance(declared, dict) else []
    seeds = [*params.seeds, *(seed for seed in old if seed not in params.seeds)]
    here = {
        path.relative_to(root).as_posix(): path
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file()
    }
    names = sorted(name for name in {*held, *here} if _is_compared(name, params, seeds))
    if not any(name in held for name in names):
        raise BadInput(f"{revision}: commit {commit[:12]} holds no results to compare with: name one that does")
    found = [
        compared(name, held.get(name), here[name].read_bytes() if name in here else None, tolerance) for name in names
    ]
    return Result(commit, tolerance, found)
