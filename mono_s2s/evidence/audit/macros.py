"""The macro file of a paper's numbers: lines `\\monosdefine{key}{text}`, used as `\\evidence{key}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from mono_s2s.evidence.audit import words
from mono_s2s.evidence.audit.latex import argument
from mono_s2s.evidence.audit.plain import plain
from mono_s2s.files import BadInput

# Around what a macro printed, until it is known where that stands in the plain text.
MARK = "\ue001"
_LINE = re.compile(r"\\monosdefine\s*(?=\{)")


def read(path: Path | None) -> dict[str, str]:
    """LaTeX text by key; nothing without a file.

    Raises:
        BadInput: the file is missing, or a line that begins like a definition is none.
    """
    if path is None:
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not readable ({error}): give the paper's numbers.tex") from error
    found = {}
    for number, line in enumerate(lines, start=1):
        if match := _LINE.match(line.strip()):
            key = argument(line.strip(), match.end())
            text = argument(line.strip(), key[1]) if key else None
            if key is None or text is None:
                raise BadInput(f"{path}, line {number}: not \\monosdefine{{key}}{{text}}: mend the line")
            found[key[0].strip()] = text[0]
    return found


def unmark(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Plain text without marks, and where in it macros printed something."""
    parts = text.split(MARK)
    clean, spans = "", []
    for number, part in enumerate(parts):
        if number % 2:
            spans.append((len(clean), len(clean) + len(part)))
        clean += part
    return clean, spans


class Printed:
    """What the macros print, for expanding a paper and for finding numbers that were typed beside one."""

    def __init__(self, defined: Mapping[str, str]) -> None:
        self._defined = defined
        self.keys = sorted(defined)
        self.texts = {key: plain(text) for key, text in defined.items()}
        self._lexicon = words.Lexicon([tuple(re.split(r"[./]", key)) for key in self.keys])
        self.unknown: set[str] = set()

    def expand(self, key: str) -> str:
        """A key's LaTeX text between marks; a key that is not defined is remembered and prints nothing."""
        if key not in self._defined:
            self.unknown.add(key)
            return ""
        return f"{MARK}{self._defined[key]}{MARK}"

    def instead(self, text: str, own: words.Units) -> str | None:
        """The key that prints `text` and that the words point to better than to any key that prints something else."""
        if not self.keys:
            return None
        scores = words.scores(self._lexicon, own, [])
        ordered = sorted((self._lexicon.cost[place] - score, place) for place, score in scores.items() if score > 0)
        if not ordered:
            return None
        best = ordered[0][0]
        for value, place in ordered:
            if value > best + 0.01:
                return None
            if self.texts[self.keys[place]] == text:
                return self.keys[place]
        return None
