"""Where a LaTeX text uses numbers by name, and which of these names no number has."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mono_s2s.files import BadInput

_COMMAND = re.compile(r"\\evidence(value|cell)?\s*\{([^{}]*)\}")
_INPUT = re.compile(r"\\(?:input|include)\s*\{([^{}#\\]+)\}")
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")


@dataclass(frozen=True)
class Use:
    """A number used by name."""

    file: Path
    line: int
    # As it stands between the braces.
    key: str
    # Whether its bare value is asked for (`\\evidencevalue`).
    bare: bool


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}): name a LaTeX file") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 (byte {error.start}): name a LaTeX file") from error
    return [_COMMENT.sub(r"\1", line) for line in text.split("\n")]


def find(path: Path, seen: set[Path] | None = None) -> Iterator[Use]:
    r"""Every use of a number in a LaTeX file and in those that it takes in by \input or \include, where they exist.

    Raises:
        BadInput: a file cannot be read.
    """
    seen = set() if seen is None else seen
    if path.resolve() in seen:
        return
    seen.add(path.resolve())
    text = "\n".join(_lines(path))
    for found in _COMMAND.finditer(text):
        # Inside a definition it is no name.
        if "#" not in found[2]:
            yield Use(path, text.count("\n", 0, found.start()) + 1, found[2], found[1] == "value")
    for found in _INPUT.finditer(text):
        for name in (found[1].strip(), f"{found[1].strip()}.tex"):
            if (path.parent / name).is_file():
                yield from find(path.parent / name, seen)
                break


def nearest(key: str, known: Collection[str]) -> str:
    """Words that name the most similar keys; empty where none is similar."""
    similar = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    return f": did you mean {' or '.join(similar)}?" if similar else ""


def faults(path: Path, known: Mapping[str, str]) -> list[str]:
    """What is wrong with a LaTeX file's numbers, a line each.

    Args:
        path: the file.
        known: each key with its bare value, empty where it has none.

    Raises:
        BadInput: a file cannot be read.
    """
    found = []
    for use in find(path):
        where = f"{use.file}:{use.line}"
        if use.key not in known:
            found.append(f"{where}: no number is called {use.key}{nearest(use.key, known)}")
        elif use.bare and not known[use.key]:
            found.append(f"{where}: {use.key} is no single number, so it has no bare value: take one of its parts")
    return found
