"""The tables of a paper as grids: what stands in each cell, and which words of the table are about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mono_s2s.evidence.audit import macros, numbers
from mono_s2s.evidence.audit.latex import Source, argument, captions, expand, option
from mono_s2s.evidence.audit.plain import plain

_FLOATS = r"(?:table|sidewaystable|wraptable|SCtable|margintable|floattable)\*?"
_TABULARS = {
    "tabular": 0,
    "tabular*": 1,
    "tabularx": 1,
    "tabulary": 1,
    "tabularew": 0,
    "longtable": 0,
    "longtable*": 0,
    "supertabular": 0,
    "tblr": 0,
}
_BEGIN = re.compile(rf"\\begin\{{({'|'.join(re.escape(name) for name in _TABULARS)})\}}")
_SPLITTING = re.compile(r"\\midrule\b|\\hline\b|\\specialrule\b|\\endhead\b|\\endfirsthead\b")
_MARKS = re.compile(r"\\(?:endhead|endfirsthead|endfoot|endlastfoot|hline|toprule|midrule|bottomrule)\b(?:\[[^\]]*\])?")
# Numbers in the first column under such a heading tell the rows apart and are no results.
_NUMBERING = re.compile(
    r"(?i)\b(seeds?|epochs?|steps?|runs?|k|n|flips?|layers?|budget|length|size|iterations?|#|no\.?|id|threshold)\b"
)


@dataclass
class Cell:
    """One cell: its text, how many columns and rows it spans, and where it stands in the source.

    `printed` are the parts of the text that macros printed, from and to.
    """

    text: str
    columns: int = 1
    rows: int = 1
    offset: int = 0
    latex: str = ""
    printed: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Line:
    """One row of a table: its cells, each at the column where it begins, and whether a rule stands above it."""

    cells: dict[int, Cell] = field(default_factory=dict)
    ruled: bool = False
    header: bool = False
    block: str | None = None


@dataclass
class Grid:
    """One tabular with what its float says about it.

    Args:
        label: \\label of the float, or "table <n>" by its place in the paper.
        number: place among the paper's tabulars, from 1.
        caption: the caption's text.
        lines: rows, headers first.
        width: number of columns.
        stubs: columns that name the rows.
        offset, end: where the tabular stands in the source's text.
    """

    label: str
    number: int
    caption: str
    lines: list[Line]
    width: int
    stubs: set[int]
    offset: int
    end: int

    def stub(self, row: int) -> list[str]:
        """What names a row: the texts of its stub columns, spanned and repeated ones filled in."""
        found = []
        for column in sorted(self.stubs):
            text = ""
            for above in range(row, -1, -1):
                cell = self.lines[above].cells.get(column)
                if self.lines[above].header or (self.lines[above].block is not None and above != row):
                    break
                if cell is None or (above < row and above + cell.rows <= row and len(self.stubs) < 2):
                    if above == row and (cell is not None or len(self.stubs) < 2):
                        break
                    continue
                if cell.text or len(self.stubs) < 2 or column == max(self.stubs):
                    text = cell.text
                    break
            found.append(text)
        return found

    def heads(self, column: int) -> list[str]:
        """What names a column: the texts of the header cells over it, from the top."""
        found = []
        for line in self.lines:
            if not line.header:
                continue
            for start, cell in line.cells.items():
                if start <= column < start + cell.columns and cell.text:
                    found.append(cell.text)
        return found

    def block(self, row: int) -> str:
        """The title of the block of rows that a row stands in."""
        for above in range(row, -1, -1):
            if self.lines[above].block is not None:
                return self.lines[above].block or ""
        return ""


def _split(text: str, offset: int) -> list[tuple[list[tuple[str, int]], bool]]:
    """Rows of a tabular's body: their cells' LaTeX with offsets, and whether the row is the last without a \\\\."""
    rows: list[list[tuple[str, int]]] = [[]]
    depth, nested, start, place = 0, 0, 0, 0
    while place < len(text):
        character = text[place]
        if character == "\\":
            if match := re.compile(r"\\(begin|end)\{").match(text, place):
                nested += 1 if match[1] == "begin" else -1
                place = match.end() - 1
                continue
            broken = re.compile(r"\\\\\*?(?:[ \t]*\[[^\]]*\])?|\\tabularnewline\b|\\cr\b").match(text, place)
            if broken and depth == 0 and nested == 0:
                rows[-1].append((text[start:place], offset + start))
                rows.append([])
                place = start = broken.end()
                continue
            place += 2
            continue
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "&" and depth == 0 and nested == 0:
            rows[-1].append((text[start:place], offset + start))
            start = place + 1
        place += 1
    rows[-1].append((text[start:], offset + start))
    return [(row, number == len(rows) - 1) for number, row in enumerate(rows)]


def _strip_rules(text: str) -> tuple[str, bool]:
    """A row's LaTeX without the rules before its first cell, as many blanks instead, and whether one of them splits."""
    ruled = bool(_SPLITTING.search(text))
    text = _MARKS.sub(lambda match: " " * len(match[0]), text)
    pattern = re.compile(
        r"\\(?:cmidrule(?:\([^)]*\))?(?:\[[^\]]*\])?(?:\([^)]*\))?\{[^}]*\}|cline\{[^}]*\}|addlinespace(?:\[[^\]]*\])?"
        r"|specialrule(?:\{[^}]*\}){3}|noalign\{[^}]*\}|rowcolor(?:\[[^\]]*\])?\{[^}]*\}|morecmidrules\b)"
    )
    return pattern.sub(lambda match: " " * len(match[0]), text), ruled


def _spans(text: str) -> tuple[int, int]:
    columns = re.search(r"\\multicolumn\s*\{\s*(\d+)\s*\}", text)
    rows = re.search(r"\\multirow(?:\[[^\]]*\])?\s*\{\s*(-?\d+)\s*\}", text)
    return (int(columns[1]) if columns else 1), (abs(int(rows[1])) if rows else 1)


def _lines(body: str, offset: int, write: Callable[[str], str]) -> list[Line]:
    lines, pending = [], False
    for cells, last in _split(body, offset):
        line = Line()
        first, ruled = _strip_rules(cells[0][0])
        cells[0] = (first, cells[0][1])
        pending = pending or ruled
        if last and len(cells) == 1 and not cells[0][0].strip():
            continue
        column = 0
        for latex, place in cells:
            columns, rows = _spans(latex)
            text, printed = macros.unmark(plain(write(latex)))
            line.cells[column] = Cell(text, columns, rows, place, latex, printed)
            column += columns
        if len(line.cells) == 1 and not line.cells[0].text:
            continue
        line.ruled, pending = pending, False
        lines.append(line)
    return lines


def _numeric(text: str) -> bool:
    found = numbers.read(text)
    if not found:
        return False
    digits = sum(number.end - number.start for quantity in found for number in quantity)
    letters = sum(character.isalpha() for character in text)
    return digits >= letters


def _mark(lines: Sequence[Line], width: int) -> set[int]:
    """Mark headers and block titles; the columns that name rows."""
    first_rule = next((row for row, line in enumerate(lines) if row and line.ruled), None)
    if first_rule is None:
        first_rule = 1
        while first_rule < len(lines) and not any(_numeric(cell.text) for cell in lines[first_rule].cells.values()):
            first_rule += 1
        if lines and any(_numeric(cell.text) for column, cell in lines[0].cells.items() if column):
            first_rule = 0
    # A table of one row between rules has no header to speak of.
    for line in lines[:first_rule]:
        line.header = first_rule < len(lines)
    body = [line for line in lines if not line.header]
    for line in body:
        filled = [(column, cell) for column, cell in line.cells.items() if cell.text]
        if len(filled) == 1 and width > 1 and not _numeric(filled[0][1].text):
            column, cell = filled[0]
            if cell.columns > 1 or column == 0:
                line.block = cell.text
    stubs = {0}
    for column in range(1, width):
        texts = [line.cells[column].text for line in body if column in line.cells and line.block is None]
        told = [text for text in texts if text.strip("–—-… ")]
        if told and sum(_numeric(text) for text in told) * 2 < len(told):
            stubs.add(column)
        else:
            break
    if width == 1 or not any(line.cells.get(width - 1) for line in body):
        stubs = {0} if width > 1 else set()
    return stubs


def is_label(grid: Grid, row: int, column: int) -> bool:
    """Whether a cell's numbers only tell rows apart: an epoch or a seed in the first column, say."""
    if grid.lines[row].header:
        return True
    if column not in grid.stubs:
        return False
    text = grid.lines[row].cells[column].text
    heads = " ".join(grid.heads(column))
    return not _numeric(text) or bool(_NUMBERING.search(heads)) or re.fullmatch(r"\d+", text) is not None


def float_of(text: str, offset: int) -> tuple[int, int] | None:
    """Start and end of the float around an offset."""
    for match in re.finditer(rf"\\begin\{{({_FLOATS})\}}", text):
        end = text.find(f"\\end{{{match[1]}}}", match.end())
        if match.start() <= offset < (end if end >= 0 else len(text)):
            return match.start(), end if end >= 0 else len(text)
    return None


def find(source: Source, evidence: Callable[[str], str] | None = None) -> list[Grid]:
    """Every tabular of a paper, in order."""
    text, grids, place = source.text, [], 0

    def write(fragment: str) -> str:
        return expand(fragment, source.macros, evidence)

    while match := _BEGIN.search(text, place):
        name = match[1]
        end = _end(text, name, match.end())
        place = end
        start = match.end()
        while found := option(text, start):
            start = found[1]
        for _ in range(_TABULARS[name] + 1):
            while found := option(text, start):
                start = found[1]
            if found := argument(text, start):
                start = found[1]
        lines = _lines(text[start:end], start, write)
        width = max((max(line.cells) + line.cells[max(line.cells)].columns for line in lines), default=0)
        around = float_of(text, match.start())
        if around is None and name.startswith("longtable"):
            around = (match.start(), end)
        caption, label = "", None
        if around:
            inside = [entry for entry in captions(text) if around[0] <= entry[1] < around[1]]
            caption = " ".join(macros.unmark(plain(write(latex)))[0] for latex, _, _ in inside)
            marked = re.search(r"\\label\s*\{([^{}]+)\}", text[around[0] : around[1]])
            label = marked[1] if marked else None
        if name.startswith("longtable"):
            lines = [line for line in lines if "\\caption" not in "".join(cell.latex for cell in line.cells.values())]
        number = len(grids) + 1
        taken = {grid.label for grid in grids}
        name_of = label or f"table {number}"
        name_of = f"{name_of} ({number})" if name_of in taken else name_of
        stubs = _mark(lines, width)
        grids.append(Grid(name_of, number, caption, lines, width, stubs, match.start(), end))
    return grids


def _end(text: str, name: str, place: int) -> int:
    depth = 1
    for match in re.compile(rf"\\(begin|end)\{{{re.escape(name)}\}}").finditer(text, place):
        depth += 1 if match[1] == "begin" else -1
        if depth == 0:
            return match.start()
    return len(text)
