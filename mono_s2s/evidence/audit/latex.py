"""LaTeX sources: several files as one text, and fragments of it as plain text.

This is no TeX: it knows what papers put around numbers, and takes the content of every other command as text.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mono_s2s.files import BadInput

_INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}]+)\}|\\input\s+([^\s\\{}]+)")
_DEFINITION = re.compile(r"\\(?:(?:re)?newcommand|providecommand|DeclareRobustCommand)\*?\s*\{?\\([A-Za-z]+)\}?")
_DEF = re.compile(r"\\def\s*\\([A-Za-z]+)((?:#\d)*)\s*(?=\{)")
# Environments whose text is not the paper's.
_HIDDEN = ("comment", "verbatim", "verbatim*", "lstlisting", "minted", "tikzpicture", "thebibliography", "filecontents")
_DISPLAYED = ("equation", "equation*", "align", "align*", "gather", "gather*", "multline", "multline*", "eqnarray")
_DEEPEST = 20


@dataclass
class Source:
    """A paper's text, its files spliced together, without comments.

    Args:
        text: what is left of the files.
        places: offsets at which a line of a file begins, with the file and the line's number.
        macros: what \\newcommand and \\def say: number of arguments and body.
        missing: files that are input and do not exist, with where.
        files: everything that was read.
    """

    text: str = ""
    places: list[tuple[int, str, int]] = field(default_factory=list)
    macros: dict[str, tuple[int, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def where(self, offset: int) -> tuple[str, int]:
        """File and line of an offset."""
        place = bisect.bisect_right(self.places, offset, key=lambda entry: entry[0]) - 1
        return self.places[max(place, 0)][1:]


def _without_comment(line: str) -> tuple[str, bool]:
    match = re.search(r"(?<!\\)((?:\\\\)*)%", line)
    return (line[: match.end() - 1], True) if match else (line, False)


def read(path: Path) -> Source:
    """A paper and every file that it inputs.

    Raises:
        BadInput: the paper is missing or no text, or files input each other in a circle.
    """
    source = Source()
    parts: list[str] = []
    _splice(path, path.parent, source, parts, 0, 0)
    source.text = "".join(parts)
    for name in _HIDDEN:
        source.text = _blanked(source.text, name)
    source.text = re.sub(r"\\iffalse\b.*?\\fi\b", lambda match: " " * len(match[0]), source.text, flags=re.DOTALL)
    _define(source)
    return source


def _blanked(text: str, name: str) -> str:
    """The text with an environment replaced by as many blanks, so that offsets hold."""
    pattern = rf"\\begin\{{{re.escape(name)}\}}.*?\\end\{{{re.escape(name)}\}}"
    return re.sub(pattern, lambda match: " " * len(match[0]), text, flags=re.DOTALL)


def without_displays(text: str) -> str:
    """The text with displayed equations blanked out: their constants are no results."""
    for name in _DISPLAYED:
        text = _blanked(text, name)
    for opening, closing in ((r"\\\[", r"\\\]"), (r"\$\$", r"\$\$")):
        text = re.sub(rf"(?<!\\){opening}.*?{closing}", lambda match: " " * len(match[0]), text, flags=re.DOTALL)
    return text


def _splice(path: Path, top: Path, source: Source, parts: list[str], offset: int, depth: int) -> int:
    if depth > _DEEPEST:
        raise BadInput(f"{path}: files input each other in a circle: break it")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadInput(f"{path}: missing: name the paper's main file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not readable as UTF-8 text ({error}): save it as UTF-8") from error
    source.files.append(path.as_posix())
    for number, line in enumerate(text.splitlines(), start=1):
        kept, commented = _without_comment(line)
        if commented and not kept.strip():
            continue
        kept = kept if commented else kept + "\n"
        source.places.append((offset, path.as_posix(), number))
        place = 0
        for match in _INPUT.finditer(kept):
            parts.append(kept[place : match.start()])
            offset += match.start() - place
            place = match.end()
            offset = _spliced(match, path, number, top, source, parts, offset, depth)
            source.places.append((offset, path.as_posix(), number))
        parts.append(kept[place:])
        offset += len(kept) - place
    return offset


def _spliced(
    match, path: Path, number: int, top: Path, source: Source, parts: list[str], offset: int, depth: int
) -> int:
    name = (match[1] or match[2]).strip()
    for folder in (top, path.parent):
        for candidate in (folder / name, folder / f"{name}.tex"):
            if candidate.is_file():
                return _splice(candidate, top, source, parts, offset, depth + 1)
    if "\\" not in name and "#" not in name:
        source.missing.append(f"{path.as_posix()}:{number}: {name}")
    return offset


def argument(text: str, place: int) -> tuple[str, int] | None:
    """The braced argument that begins at or after `place`, and where it ends; None where there is none."""
    while place < len(text) and text[place] in " \n\t":
        place += 1
    if place >= len(text) or text[place] != "{":
        return None
    depth = 0
    start = place + 1
    while place < len(text):
        if text[place] == "\\":
            place += 2
            continue
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        place += 1
        if depth == 0:
            return text[start : place - 1], place
    return None


def option(text: str, place: int) -> tuple[str, int] | None:
    """The [optional] argument that begins at `place`, and where it ends."""
    if text[place : place + 1] != "[":
        return None
    depth = 0
    for end in range(place + 1, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if text[end] == "]" and depth == 0:
            return text[place + 1 : end], end + 1
    return None


def _define(source: Source) -> None:
    for match in _DEFINITION.finditer(source.text):
        place, count = match.end(), 0
        if (found := option(source.text, place)) and found[0].strip().isdigit():
            count, place = int(found[0]), found[1]
        body = argument(source.text, place)
        # A default for the first argument would need TeX; such a macro is left alone.
        if body and source.text[place : place + 1] != "[":
            source.macros[match[1]] = (count, body[0])
    for match in _DEF.finditer(source.text):
        if body := argument(source.text, match.end()):
            source.macros[match[1]] = (match[2].count("#"), body[0])


def expand(text: str, macros: Mapping[str, tuple[int, str]], evidence: Callable[[str], str] | None = None) -> str:
    """A fragment with the paper's own macros written out, and \\evidence{key} by what `evidence` gives."""
    for _ in range(_DEEPEST):
        match = next(
            (
                found
                for found in re.finditer(r"\\([A-Za-z]+)(?![A-Za-z])", text)
                if found[1] in macros or (found[1] == "evidence" and evidence)
            ),
            None,
        )
        if match is None:
            return text
        text = _expanded(text, macros, evidence)
    return text


def _expanded(text: str, macros: Mapping[str, tuple[int, str]], evidence: Callable[[str], str] | None) -> str:
    parts, place = [], 0
    for match in re.finditer(r"\\([A-Za-z]+)(?![A-Za-z])\s*", text):
        if match.start() < place:
            continue
        if match[1] == "evidence" and evidence and (found := argument(text, match.end())):
            parts += [text[place : match.start()], evidence(found[0].strip())]
            place = found[1]
            continue
        if match[1] not in macros:
            continue
        count, body = macros[match[1]]
        # Without an argument, TeX eats the blanks behind the name; that never matters for numbers.
        end = match.end()
        for number in range(1, count + 1):
            found = argument(text, end)
            if found is None:
                break
            body, end = body.replace(f"#{number}", found[0]), found[1]
        parts += [text[place : match.start()], body]
        place = end
    return "".join([*parts, text[place:]])


def captions(text: str) -> list[tuple[str, int, int]]:
    """LaTeX, start and end of every caption."""
    found = []
    for match in re.finditer(r"\\caption(?:of\{[^{}]*\})?\*?\s*", text):
        place = match.end()
        if short := option(text, place):
            place = short[1]
        if content := argument(text, place):
            found.append((content[0], content[1] - 1 - len(content[0]), content[1]))
    return found
