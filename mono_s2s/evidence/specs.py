"""What the paper's tables are made of, declared once in paper_evidence/specs/table_*.yaml.

A table has columns and blocks of rows. A cell's number stands in the row's source file at the row's JSON pointer, in
which {column} is the column's key and {group} the block's. All text is plain Unicode; LaTeX is made from it when
rendering.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from mono_s2s.files import BadInput
from mono_s2s.scale import STUDIES, Section, read_yaml, typed

SPECS = Path("paper_evidence") / "specs"
# number: a number. spread: {mean, sd}. interval: {mean, lower, upper}. test: {p_holm, floor, underpowered}.
Kind = Literal["number", "spread", "interval", "test"]


class Column(Section):
    """One column."""

    title: str
    # Put into the rows' pointers for {column}.
    key: str
    # Title over this and the neighbouring columns of the same span.
    span: str | None = None
    decimals: int = Field(ge=0, le=8)
    # Printed = 10**shift x the value: 2 prints shares as percentages.
    shift: int = 0


class Row(Section):
    """One row: where each of its cells comes from."""

    title: str
    source: str
    pointer: str
    kind: Kind
    # Keys of columns that this row has nothing for; printed as a dash.
    blank: list[str] = Field(default_factory=list)
    # A dash too where the pointer leads nowhere: for tests, which only the metrics of a family have.
    absent: bool = False


class Block(Section):
    """Rows between two rules; with `over`, one such block for each key of an object."""

    title: str | None = None
    over: str | None = None
    # The object's file, if not the first row's.
    source: str | None = None
    rows: list[Row] = Field(min_length=1)


class Spec(Section):
    """One table."""

    id: str = Field(pattern=r"^table_\d+_[a-z_]+$")
    study: Literal[STUDIES]
    # Whether it draws on every seed of the paper or on the leading one alone.
    seeds: Literal["all", "lead"]
    caption: str
    row_header: str
    # Paths under the top folder, by the name that rows use; {study} and {lead} are filled in.
    sources: dict[str, str]
    columns: list[Column] = Field(min_length=1)
    blocks: list[Block] = Field(min_length=1)
    # Names of sentences (notes.py), in order; anything else stands as it is.
    note: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> Self:
        keys = [column.key for column in self.columns]
        if len(set(keys)) < len(keys):
            raise ValueError("columns: one key twice")
        for block in self.blocks:
            for row in block.rows:
                if row.source not in self.sources:
                    raise ValueError(f"row {row.title}: source {row.source} is not declared under sources")
                if unknown := set(row.blank) - set(keys):
                    raise ValueError(f"row {row.title}: blank: no column {sorted(unknown)[0]}")
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


def tables_using(specs: list[Spec], study: str, seed: int, seeds: list[int]) -> list[str]:
    """Ids of the tables that draw on one run of the paper."""
    return [
        spec.id for spec in specs if spec.study == study and seed in seeds and (spec.seeds == "all" or seed == seeds[0])
    ]
