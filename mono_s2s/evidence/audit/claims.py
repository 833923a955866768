"""Every number that a paper claims, with the words that are about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mono_s2s.evidence.audit import numbers, tables, words
from mono_s2s.evidence.audit.latex import Source, captions, expand, without_displays
from mono_s2s.evidence.audit.macros import unmark
from mono_s2s.evidence.audit.numbers import Number
from mono_s2s.evidence.audit.plain import plain
from mono_s2s.evidence.audit.search import Query
from mono_s2s.evidence.audit.tables import Grid

Unit = tuple[tuple[str, float], ...]
# How much a word says about a cell, by where it stands.
ROW, COLUMN, BLOCK, SPAN, CORNER, CAPTION = 1.0, 1.0, 0.8, 0.7, 0.4, 0.35
# In running text: how many words away, and how much such a word says.
NEARNESS = ((2, 1.0), (5, 0.6), (10, 0.3), (10**9, 0.1))
HEADING = 0.15
# Of a word in a part of the sentence that has a number of its own.
ASIDE = 0.3
_COMPARED = re.compile(r"(?i)\w\s*(?:−|–|-|\bvs\.?|\bminus\b|\bversus\b)\s+\w|\bdifference\b|(?<=\s)Δ|\bgap\b")
_BREAK = re.compile(
    r"\n[ \t]*\n|\\(?:sub)*section\*?|\\(?:sub)?paragraph\*?|\\chapter\*?|\\item\b|\\par\b|\\maketitle\b|\\smallskip\b"
    r"|\\begin\{[^}]*\}(?:\[[^\]]*\])*(?:\{[^{}]*\\(?:line|text|column)width[^{}]*\})?|\\end\{[^}]*\}"
)
_HEADING = re.compile(r"\\(?:(?:sub)*section|chapter)\*?\s*\{")
_BOXES = re.compile(r"\\(?:resizebox\*?\s*\{[^{}]*\}\s*\{[^{}]*\}|scalebox\s*\{[^{}]*\}|adjustbox\s*\{[^{}]*\})")
# The parts of an enumeration: "2 epochs, 280 updates of 16 examples, learning rate 0.003".
_PART = re.compile(r"[,;:()]\s+|\s+(?=\()|[()]")
# 16 examples of one update are a batch.
_BATCH = re.compile(r"(?i)\b(?:updates?|steps?|iterations?|batch(?:es)?)\s+(?:of|with|on)\s*$")
_OF_STEP = re.compile(r"(?i)\s*\w+\s+(?:per|an?|each)\s+(?:updates?|steps?|iterations?|batch)\b")
_SENTENCE = re.compile(r"(?<=[.!?;])(?<!et al\.)(?<!e\.g\.)(?<!i\.e\.)(?<!vs\.)(?<!resp\.)\s+(?=[^\s\da-z])")


@dataclass
class Claim:
    """One printed quantity of the paper.

    Args:
        identity: <label>/r<row>c<column> or <file>:<line>, and #<n> where several stand there.
        query: its numbers and words.
        context: the cell's or the sentence's text, in which the numbers stand.
        file, line: where.
        printed: whether a macro printed each number.
        grid: the table, or None.
        row, column: the cell, or None.
    """

    identity: str
    query: Query
    context: str
    file: str
    line: int
    printed: list[bool]
    grid: Grid | None = None
    row: int | None = None
    column: int | None = None


def _weighted(text: str, weight: float) -> list[tuple[Unit, float]]:
    """Units of a heading; of a comparison (A - B), the difference is meant and its sides only say of what."""
    found = [(unit, weight) for unit in words.units(text)]
    if _COMPARED.search(text) and not re.search(r"\d", text):
        return [(unit, 0.2 * weight) for unit, _ in found] + [(words.units("difference")[0], weight)]
    return found


def _asked(*texts: str) -> frozenset[str]:
    found = {form for text in texts for unit in words.units(text) for form, share in unit if share == 1.0}
    if any("%" in text for text in texts):
        found.add("%")
    return frozenset(found)


def _best(entries: Sequence[tuple[Unit, float]]) -> list[tuple[Unit, float]]:
    """Each unit once, with its largest weight."""
    found: dict[Unit, float] = {}
    for unit, weight in entries:
        found[unit] = max(weight, found.get(unit, 0.0))
    return list(found.items())


class _Table:
    """The words of one table, cell by cell."""

    def __init__(self, grid: Grid, named: Callable[[Sequence[Unit]], frozenset[int]]) -> None:
        self.grid, self.named = grid, named
        self.caption = [(unit, CAPTION) for unit in words.units(grid.caption)]
        self.corner = [
            entry for stub in sorted(grid.stubs) for head in grid.heads(stub) for entry in _weighted(head, CORNER)
        ]
        self.rows = {
            row: [entry for text in grid.stub(row) for entry in _weighted(text, ROW)]
            for row, line in enumerate(grid.lines)
            if not line.header and line.block is None
        }
        self.columns = {}
        for column in range(grid.width):
            if column not in grid.stubs:
                heads = grid.heads(column)
                self.columns[column] = [
                    entry
                    for place, head in enumerate(heads)
                    for entry in _weighted(head, COLUMN if place == len(heads) - 1 else SPAN)
                ]
        self.blocks = {row: _weighted(grid.block(row), BLOCK) for row in self.rows}

    def query(self, row: int, column: int, found: list[Number]) -> Query:
        own_row, own_column, own_block = self.rows[row], self.columns.get(column, []), self.blocks[row]
        own = _best([*own_row, *own_column, *own_block, *self.caption, *self.corner])
        mine = {unit for unit, _ in own}
        own_words = {unit for unit, _ in (*own_row, *own_column, *own_block)}
        # A title over several columns tells none of them apart; neither do the sides of a comparison.
        axes = (self.rows, self.columns, self.blocks)
        others = [entry for axis in axes for entries in axis.values() for entry in entries if entry[1] > SPAN]
        heads = [*self.grid.stub(row), *self.grid.heads(column), self.grid.block(row)]
        return Query(
            numbers=found,
            own=own,
            others=_best([(unit, weight) for unit, weight in others if unit not in mine]),
            axes=[[unit for unit, weight in axis if weight > 0.5] for axis in (own_row, own_column)],
            asked=_asked(*heads, *(head for stub in self.grid.stubs for head in self.grid.heads(stub))),
            runs=self.named([unit for unit, _ in (*own_row, *own_column, *own_block, *self.caption)]),
            loose=frozenset(unit for unit, _ in self.caption if unit not in own_words),
        )


def of_table(grid: Grid, source: Source, named: Callable[[Sequence[Unit]], frozenset[int]]) -> Iterator[Claim]:
    """The quantities in a table's cells, row by row; what only names rows and columns is none."""
    table = _Table(grid, named)
    for row, line in enumerate(grid.lines):
        if line.header or line.block is not None:
            continue
        for column, cell in line.cells.items():
            if tables.is_label(grid, row, column):
                continue
            quantities = numbers.read(cell.text)
            file, number = source.where(cell.offset + len(cell.latex) - len(cell.latex.lstrip()))
            for place, found in enumerate(quantities):
                identity = f"{grid.label}/r{row + 1}c{column + 1}" + (f"#{place + 1}" if len(quantities) > 1 else "")
                yield Claim(
                    identity,
                    table.query(row, column, found),
                    cell.text,
                    file,
                    number,
                    [_inside(entry, cell.printed) for entry in found],
                    grid,
                    row,
                    column,
                )


def _inside(number: Number, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= number.start and number.end <= end for start, end in spans)


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]).replace("\n", " ") + text[end:]


def _paragraphs(text: str) -> Iterator[tuple[str, int]]:
    place = 0
    for match in _BREAK.finditer(text):
        yield text[place : match.start()], place
        # A heading's own text follows its command.
        place = match.end()
    yield text[place:], place


def of_text(
    source: Source,
    grids: Sequence[Grid],
    write: Callable[[str], str],
    named: Callable[[Sequence[Unit]], frozenset[int]],
) -> Iterator[Claim]:
    """The quantities outside of the tables' cells: captions, notes, block titles, running text."""
    text = source.text
    begin, end = text.find("\\begin{document}"), text.find("\\end{document}")
    text = text if begin < 0 else _blank(_blank(text, 0, begin + 16), end if end > 0 else len(text), len(text))
    text = without_displays(text)
    headings = [(match.start(), _heading(text, match.end())) for match in _HEADING.finditer(text)]
    parts = []
    for latex, start, finish in captions(text):
        parts.append((latex, start))
        text = _blank(text, start, finish)
    for grid in grids:
        text = _blank(text, grid.offset, min(grid.end + 1 + text[grid.end :].find("}"), len(text)))
        for line in grid.lines:
            if line.block is not None and not line.header:
                parts += [(cell.latex, cell.offset) for cell in line.cells.values()]
    text = _BOXES.sub(lambda match: " " * len(match[0]), text)
    counts: dict[str, int] = {}
    for latex, offset in sorted([*parts, *_paragraphs(text)], key=lambda entry: entry[1]):
        whole, printed = unmark(plain(write(latex)))
        heading = next((title for start, title in reversed(headings) if start < offset), "")
        grid = next((grid for grid in grids if _near(source.text, grid, offset)), None)
        place = 0
        for sentence in _SENTENCE.split(whole):
            begin = whole.find(sentence, place)
            place = begin + len(sentence)
            spans = [(start - begin, stop - begin) for start, stop in printed]
            for found in numbers.read(sentence):
                file, line = source.where(_offset(source.text, latex, offset, found[0]))
                counts[f"{file}:{line}"] = counts.get(f"{file}:{line}", 0) + 1
                identity = f"{file}:{line}#{counts[f'{file}:{line}']}"
                query = _sentence_query(sentence, found, heading, grid.caption if grid else "", named)
                flags = [_inside(entry, spans) for entry in found]
                yield Claim(identity, query, sentence, file, line, flags, grid)


def _heading(text: str, place: int) -> str:
    return plain(text[place : text.find("}", place)])


def _near(text: str, grid: Grid, offset: int) -> bool:
    """Whether an offset lies in the float of a table."""
    around = tables.float_of(text, grid.offset)
    return around is not None and around[0] <= offset < around[1]


def _offset(text: str, latex: str, offset: int, number: Number) -> int:
    """Where a number stands in the source, as well as its digits can be found again."""
    digits = re.sub(r"[^\d.]", "", number.text)
    found = text.find(digits, offset, offset + len(latex)) if digits else -1
    return found if found >= 0 else offset + len(latex) - len(latex.lstrip())


def _sentence_query(sentence: str, found: list[Number], heading: str, caption: str, named) -> Query:
    chunks = [(match.start(), match.end(), match[0]) for match in re.finditer(r"\S+", sentence)]
    first = next((place for place, chunk in enumerate(chunks) if chunk[1] > found[0].start), 0)
    last = next((place for place, chunk in enumerate(chunks) if chunk[1] >= found[-1].end), len(chunks) - 1)
    own: list[tuple[Unit, float]] = [(unit, HEADING) for unit in words.units(heading)]
    own += [(unit, HEADING) for unit in words.units(caption)]
    around = {unit for unit, _ in own} - set(words.units(sentence))
    elsewhere = _elsewhere(sentence, found)
    for place, (_, _, chunk) in enumerate(chunks):
        inside = first <= place <= last
        # Numbers between a word and this one, as in a list of seeds, do not part them.
        between = chunks[place:first] if place < first else chunks[last:place]
        distance = sum(not entry[2].strip("(),;:.[]%").isdigit() for entry in between)
        weight = next(share for limit, share in NEARNESS if distance <= limit)
        for unit in words.units(chunk):
            if not inside or not unit[0][0][:1].isdigit():
                own.append((unit, ASIDE * weight if unit in elsewhere else weight))
    if _BATCH.search(sentence[: found[0].start]) or _OF_STEP.match(sentence[found[-1].end :]):
        own.append((words.units("batch")[0], 1.0))
    before = sentence[: found[0].start]
    asked = _asked(sentence) | ({"n="} if re.search(r"(?i)\bn\s*=\s*$", before) else set())
    if not any(number.percent for number in found):
        asked -= {"%"}
    return Query(
        numbers=found,
        own=_best(own),
        asked=frozenset(asked),
        runs=named([unit for unit, weight in own if weight >= NEARNESS[1][1]]),
        strict=False,
        loose=frozenset(around | elsewhere),
    )


def _elsewhere(sentence: str, found: list[Number]) -> set[Unit]:
    """Words that stand only in parts of the sentence that are about another number."""
    here: set[Unit] = set()
    there: set[Unit] = set()
    place = 0
    for part in _PART.split(sentence):
        start = sentence.find(part, place)
        place = start + len(part)
        own = start <= found[0].start < place
        (there if not own and numbers.read(part) else here).update(words.units(part))
    return there - here


def everything(
    source: Source,
    grids: Sequence[Grid],
    evidence: Callable[[str], str],
    named: Callable[[Sequence[Unit]], frozenset[int]],
) -> list[Claim]:
    """Every quantity of the paper, tables first."""

    def write(fragment: str) -> str:
        return expand(fragment, source.macros, evidence)

    found = [claim for grid in grids for claim in of_table(grid, source, named)]
    return [*found, *of_text(source, grids, write, named)]
