"""What a check found: one line each, with its class and its mend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mono_s2s.files import BadInput

# Class of finding, gravest first: exit code, what it means. Where there are several, the gravest gives the exit code:
# an edited number changes its file's hash too, and the hash says less.
CLASSES = {
    "identity": (10, "two runs are one, or a file, checkpoint or example belongs to another run"),
    "schema": (11, "a file is missing, cannot be read, or is against its schema"),
    "numbers": (12, "a number does not follow from the per-example files"),
    "rendering": (13, "a table, list or text is not what the numbers give"),
    "records": (14, "a process's own record, dvc.lock and this checkout differ"),
    "hashes": (15, "a file or parameter is not the one that dvc.lock names"),
}
# Of `--reproduced`, which finds nothing else.
REPRODUCED = 16


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: file, what, mend, on one line."""

    kind: str
    line: str


@dataclass
class Findings:
    """All findings so far, and what was looked at."""

    # Messages name files below it relative to it.
    root: Path
    counts: dict[str, int] = field(default_factory=dict)
    _found: dict[Finding, None] = field(default_factory=dict)

    def add(self, kind: str, line: str) -> None:
        """Take in a finding; the same one twice counts once."""
        if self.root != Path():
            line = line.replace(f"{self.root}/", "")
        self._found[Finding(kind, " ".join(line.split()))] = None

    def count(self, what: str, number: int = 1) -> None:
        """So much more of something was looked at."""
        self.counts[what] = self.counts.get(what, 0) + number

    @contextmanager
    def guarded(self, kind: str, what: str) -> Iterator[None]:
        """What goes wrong inside is a finding; the checks after it go on.

        Whoever judges damaged files meets content that no schema foresaw, so that anything but a mistake of the
        interpreter itself counts as damage.
        """
        try:
            yield
        except BadInput as error:
            self.add(kind, str(error))
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            self.add(kind, f"{what}: cannot be judged ({type(error).__name__}: {error}): run `dvc repro`")

    def take(self, kind: str, lines: Iterable[str], what: str) -> None:
        """Take in every line that a check yields."""
        with self.guarded(kind, what):
            for line in lines:
                self.add(kind, line)

    def listed(self) -> list[Finding]:
        """Every finding, the gravest class first, in the order in which they were found."""
        order = list(CLASSES)
        return sorted(self._found, key=lambda finding: order.index(finding.kind))

    @property
    def exit_code(self) -> int:
        """0 where nothing was found, else that of the gravest class."""
        found = self.listed()
        return CLASSES[found[0].kind][0] if found else 0

    def by_class(self) -> dict[str, int]:
        """How many findings each class has that has any."""
        found = self.listed()
        kinds = [finding.kind for finding in found]
        return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}

    def content(self) -> dict[str, Any]:
        """For programs; the same bytes for the same tree."""
        return {
            "schema_version": 1,
            "sound": not self._found,
            "exit_code": self.exit_code,
            "checked": self.counts,
            "findings": [{"class": found.kind, "finding": found.line} for found in self.listed()],
        }
