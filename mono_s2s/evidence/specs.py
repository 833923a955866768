"""What the paper's tables are made of, declared once in paper_evidence/specs/table_*.yaml.

A table has columns and blocks of rows. Where a cell's number stands - source file, JSON pointer - and how it is printed
is said by its row or its column. All text is plain Unicode; LaTeX is made from it when rendering.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mono_s2s.files import BadInput
from mono_s2s.scale import STUDIES, Section, read_yaml, typed

SPECS = Path("paper_evidence") / "specs"
# number: a number. count: a whole number, with commas between thousands. percent: a share, with its sign. spread:
# {mean, sd}. interval: {mean, lower, upper}. range: {lower, upper}. p: a p value, "< 0.001" where it is less. test:
# {p_holm, floor, underpowered}. list: whole numbers, one after the other. size: how many entries a list has. text: a
# word.
Kind = Literal["number", "count", "percent", "spread", "interval", "range", "p", "test", "list", "size", "text"]
# Kinds that print as they are, without a choice of decimals or powers of ten.
PLAIN = ("count", "list", "size", "text")


class Cells(Section):
    """What a row or a column says of its cells; a row's word stands before a column's."""

    source: str | None = None
    # JSON pointer in the source file. {row}, {column}: their keys; {short}: the column's key behind its last / or dot;
    # {group}: the block's key.
    pointer: str | None = None
    kind: Kind | None = None
    decimals: Annotated[int, Field(ge=0, le=8)] | None = None
    # Printed = 10**shift x the value: 2 prints shares as percentages.
    shift: int | None = None
    # A dash where the pointer leads nowhere: for tests, which only the metrics of a family have.
    absent: bool = False


class Column(Cells):
    """One column."""

    title: str
    key: str
    # Title over this and the neighbouring columns of the same span.
    span: str | None = None


class Row(Cells):
    """One row."""

    title: str
    # Unique in its block: the number's name has it.
    key: str
    # Keys of columns that this row has nothing for; printed as a dash.
    blank: list[str] = Field(default_factory=list)


class Block(Section):
    """Rows between two rules; with `over`, one such block for each key of an object."""

    title: str | None = None
    # In the names of its numbers, before the row's key; with `over` it is {group}.
    key: str = ""
    # Source and pointer of that object.
    over: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None
    rows: list[Row] = Field(min_length=1)


def slug(text: str) -> str:
    """A key's part as it stands in the name of a number: letters, digits, dots, underscores and hyphens."""
    return re.sub(r"[^A-Za-z0-9_.-]+", ".", text).strip(".")


def macro(table: str, block: Block, row: Row, column: Column, group: str = "") -> str:
    """The name of one table cell's number: table_5.hotflip.success.monotonic."""
    number = "_".join(table.split("_")[:2])
    of_block = group if block.over is not None else block.key
    return ".".join(slug(part) for part in (number, of_block, row.key, column.key) if part)


@dataclass(frozen=True)
class Cell:
    """Where one printed number comes from and how it is printed."""

    source: str
    pointer: str
    kind: Kind
    decimals: int
    shift: int
    absent: bool


def cell(row: Row, column: Column, group: str = "") -> Cell | None:
    """Where the number of `column` in `row` comes from; None for a declared dash.

    Raises:
        ValueError: neither row nor column says it all.
    """
    if column.key in row.blank:
        return None

    def said(name: str, default: object = None) -> Any:
        for part in (row, column):
            if getattr(part, name) is not None:
                return getattr(part, name)
        if default is None:
            raise ValueError(f"row {row.title}, column {column.title}: neither says {name}")
        return default

    pointer = said("pointer")
    filled = {
        "{row}": row.key,
        "{column}": column.key,
        "{short}": re.split(r"[./]", column.key)[-1],
        "{group}": group.replace("~", "~0").replace("/", "~1"),
    }
    for name, value in filled.items():
        pointer = pointer.replace(name, value)
    return Cell(
        source=said("source"),
        pointer=pointer,
        kind=said("kind"),
        decimals=said("decimals", 0) if said("kind") != "test" else 4,
        shift=said("shift", 0) if said("kind") not in ("test", "p") else 0,
        absent=row.absent or column.absent,
    )


class Spec(Section):
    """One table."""

    id: str = Field(pattern=r"^table_\d+_[a-z_]+$")
    study: Literal[STUDIES]
    # Whether it draws on every seed of the paper or on the leading one alone.
    seeds: Literal["all", "lead"]
    caption: str
    row_header: str
    # Paths under the top folder, by the name that rows and columns use; {study} and {lead} are filled in. `summary` is
    # always there: the note draws on it.
    sources: dict[str, str]
    columns: list[Column] = Field(min_length=1)
    blocks: list[Block] = Field(min_length=1)
    # Names of sentences (notes.py), in order; anything else stands as it is.
    note: list[str] = Field(min_length=1)

    def _places(self) -> list[tuple[Block, Row, Column]]:
        return [(block, row, column) for block in self.blocks for row in block.rows for column in self.columns]

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> Self:
        keys = [column.key for column in self.columns]
        if len(set(keys)) < len(keys):
            raise ValueError("columns: one key twice")
        names = [macro(self.id, *place) for place in self._places()]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two cells are called {name}: give a block, a row or a column another key")
        for block in self.blocks:
            if block.over is not None and block.over[0] not in self.sources:
                raise ValueError(f"over: source {block.over[0]} is not declared under sources")
            for row in block.rows:
                if unknown := set(row.blank) - set(keys):
                    raise ValueError(f"row {row.title}: blank: no column {sorted(unknown)[0]}")
                for column in self.columns:
                    found = cell(row, column)
                    if found is not None and found.source not in self.sources:
                        raise ValueError(f"row {row.title}: source {found.source} is not declared under sources")
        return self


def path_of(number: int) -> Path:
    """The file that declares table `number`."""
    return SPECS / f"table_{number}.yaml"


def load(root: Path = Path()) -> list[Spec]:
    """All declared tables, in the order of their numbers.

    Raises:
        BadInput: there are none, two have one id, a file's name is not its table's number, or a key is wrong.
    """
    found = {}
    for path in (root / SPECS).glob("table_*.yaml"):
        where = (SPECS / path.name).as_posix()
        spec = typed(Spec, read_yaml(path), where)
        number = int(spec.id.split("_")[1])
        if path.stem != f"table_{number}":
            raise BadInput(f"{where}: id: {spec.id} belongs into table_{number}.yaml")
        found[number] = spec
    if not found:
        raise BadInput(f"{SPECS}: no table_*.yaml: nothing to render")
    return [found[number] for number in sorted(found)]
