"""Tables rendered from their specs: every number looked up by file and pointer, formatted once, never typed."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import jinja2

from mono_s2s import files, paths
from mono_s2s.evidence import formatting, notes, schemas
from mono_s2s.evidence.schemas import Part
from mono_s2s.evidence.specs import Cell, Kind, Spec, cell, macro, path_of
from mono_s2s.files import BadInput

FOLDER = Path("paper_evidence")
TEMPLATES = FOLDER / "templates"
# What each kind of cell looks up below its pointer.
PARTS = {
    "spread": ("mean", "sd"),
    "interval": ("mean", "lower", "upper"),
    "range": ("lower", "upper"),
    "test": ("p_holm", "floor", "underpowered"),
}


class Printed(Protocol):
    """How a number is printed: a table's cell, or a number of numbers.yaml."""

    @property
    def kind(self) -> Kind: ...  # noqa: D102

    @property
    def decimals(self) -> int: ...  # noqa: D102

    @property
    def shift(self) -> int: ...  # noqa: D102


class TableCell(Part):
    """One printed number: its name, raw value, text, and where it stands; all null but the texts for a dash."""

    key: str | None
    value: float | int | dict[str, float | int | bool] | None
    text: str
    latex: str
    source: str | None
    pointer: str | None


class TableRow(Part):
    """One row, under its block's title."""

    block: str | None
    title: str
    cells: list[TableCell]


class TableColumn(Part):
    """One column."""

    title: str
    span: str | None


class Table(Part):
    """paper_evidence/table_*.json."""

    schema_version: Literal[2]
    id: str
    label: str
    study: str
    scale: str
    seeds: list[int]
    spec: str
    caption: str
    note: str
    row_header: str
    columns: list[TableColumn]
    rows: list[TableRow]
    source_files: list[str]


_MISSING = object()


def lookup(content: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901), or `_MISSING`."""
    node = content
    for raw in pointer.split("/")[1:]:
        step = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            return _MISSING
    return node


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def value_of(found: Any, kind: Kind) -> Any:
    """What a number of this kind keeps of what stands at its pointer; `_MISSING` where that is not of the kind."""
    whole = isinstance(found, int) and not isinstance(found, bool)
    integers = isinstance(found, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in found)
    if kind in PARTS:
        sound = isinstance(found, Mapping) and all(
            _number(found.get(part)) or (part == "underpowered" and isinstance(found.get(part), bool))
            for part in PARTS[kind]
        )
        return {part: found[part] for part in PARTS[kind]} if sound else _MISSING
    if kind == "size":
        return len(found) if isinstance(found, (list, Mapping)) else _MISSING
    sound = {"count": whole, "list": integers and bool(found), "text": isinstance(found, str) and bool(found)}
    return found if sound.get(kind, _number(found)) else _MISSING


def text_of(value: Any, where: Printed) -> str:
    """The printed text of a raw value (`value_of`).

    Raises:
        ValueError: a p value that is none.
    """
    if where.kind == "number":
        return formatting.fixed(value, where.decimals, where.shift)
    if where.kind in ("count", "size"):
        return formatting.grouped(value)
    if where.kind == "percent":
        return formatting.percent(value, where.decimals)
    if where.kind == "p":
        return formatting.p_value(value, where.decimals)
    if where.kind == "list":
        return formatting.listed(value)
    if where.kind == "text":
        return value
    if where.kind == "spread":
        return formatting.spread(value["mean"], value["sd"], where.decimals, where.shift)
    if where.kind == "interval":
        return formatting.interval(value["mean"], value["lower"], value["upper"], where.decimals, where.shift)
    if where.kind == "range":
        low, high = (formatting.fixed(value[end], where.decimals, where.shift) for end in ("lower", "upper"))
        return f"[{low}, {high}]"
    mark = formatting.DAGGER if value["underpowered"] else ""
    return formatting.p_value(value["p_holm"], where.decimals) + mark


def _dash() -> dict[str, Any]:
    text = formatting.DASH
    return {"key": None, "value": None, "text": text, "latex": formatting.latex(text), "source": None, "pointer": None}


def _rendered(
    key: str, where: Cell | None, contents: Mapping[str, Any], sources: Mapping[str, str], spec: str
) -> dict[str, Any]:
    if where is None:
        return _dash()
    found = lookup(contents[where.source], where.pointer)
    place = f"{sources[where.source]}: {where.pointer}"
    if found is _MISSING:
        if where.absent:
            return _dash()
        raise BadInput(f"{place}: not there, {spec} asks for it: run `dvc repro`, or mend the spec")
    value = value_of(found, where.kind)
    if value is _MISSING:
        raise BadInput(f"{place}: not a {where.kind}, which {spec} asks for: mend the spec")
    try:
        text = text_of(value, where)
    except ValueError as error:
        raise BadInput(f"{place}: {error}: run `dvc repro`") from error
    return {
        "key": key,
        "value": value,
        "text": text,
        "latex": formatting.latex_cell(text),
        "source": sources[where.source],
        "pointer": where.pointer,
    }


def render(spec: Spec, seeds: Sequence[int], root: Path = Path()) -> dict[str, Any]:
    """The content of a table's JSON file.

    Args:
        spec: what the table is made of.
        seeds: the paper's seeds, the leading one first.
        root: the top folder.

    Raises:
        BadInput: a source file is missing, a pointer leads nowhere, or what stands there is not what the spec says.
    """
    declared = path_of(int(spec.id.split("_")[1])).as_posix()
    sources = {name: path.format(study=spec.study, lead=seeds[0]) for name, path in spec.sources.items()}
    if "summary" not in sources:
        raise BadInput(f"{declared}: sources.summary: missing: the note draws on it")
    contents = {name: files.read_json(root / path) for name, path in sources.items()}
    if contents["summary"].get("seeds") != list(seeds):
        raise BadInput(f"{sources['summary']}: is over other seeds than params.yaml: run `dvc repro`")
    rows = []
    for block in spec.blocks:
        groups = [""]
        if block.over is not None:
            node = lookup(contents[block.over[0]], block.over[1])
            if not isinstance(node, Mapping):
                raise BadInput(f"{sources[block.over[0]]}: {block.over[1]}: no object to repeat rows over ({declared})")
            groups = sorted(node)
        for group in groups:
            title = block.title.replace("{group}", group) if block.title else None
            for row in block.rows:
                cells = [
                    _rendered(
                        macro(spec.id, block, row, column, group), cell(row, column, group), contents, sources, declared
                    )
                    for column in spec.columns
                ]
                rows.append({"block": title, "title": row.title, "cells": cells})
    names = [entry["key"] for row in rows for entry in row["cells"] if entry["key"]]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise BadInput(f"{declared}: two cells are called {name}: give a block, a row or a column another key")
    known = notes.sentences(contents["summary"], contents.get("tests"), seeds[0])
    used = {entry["source"] for row in rows for entry in row["cells"] if entry["source"]} | {sources["summary"]}
    return {
        "schema_version": 2,
        "id": spec.id,
        "label": "tab:" + "-".join(spec.id.split("_")[2:]),
        "study": spec.study,
        "scale": contents["summary"]["scale"],
        "seeds": list(seeds) if spec.seeds == "all" else [seeds[0]],
        "spec": declared,
        "caption": spec.caption,
        "note": " ".join(known.get(sentence, sentence) for sentence in spec.note),
        "row_header": spec.row_header,
        "columns": [{"title": column.title, "span": column.span} for column in spec.columns],
        "rows": rows,
        "source_files": sorted(used),
    }


def spans(columns: Sequence[Mapping[str, Any]]) -> list[tuple[str | None, int, int]]:
    """Title, first and last column (from 2: the first holds the rows' titles) of each run of equal spans."""
    found: list[tuple[str | None, int, int]] = []
    for place, column in enumerate(columns, start=2):
        if found and found[-1][0] == column["span"]:
            found[-1] = (column["span"], found[-1][1], place)
        else:
            found.append((column["span"], place, place))
    return found


# Compiling the template is most of the work; one that was edited since is compiled anew.
@functools.lru_cache(maxsize=8)
def _environment(root: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root / TEMPLATES),
        undefined=jinja2.StrictUndefined,
        block_start_string=r"\BLOCK{",
        block_end_string="}",
        variable_start_string=r"\VAR{",
        variable_end_string="}",
        comment_start_string=r"\#{",
        comment_end_string="}",
        line_comment_prefix="%%",
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.filters["tex"] = formatting.latex
    return environment


def to_latex(table: Mapping[str, Any], root: Path = Path()) -> str:
    """A rendered table as a LaTeX float that needs booktabs alone."""
    template = _environment(root).get_template("table.tex.j2")
    return template.render(table=table, spans=spans(table["columns"]))


def write_all(specs: Sequence[Spec], seeds: Sequence[int], root: Path = Path()) -> None:
    """Render every table and write table_*.{json,tex} and each study's paper_ready_tables.tex.

    Raises:
        BadInput: a table cannot be rendered (`render`); nothing is written then.
    """
    rendered = []
    for spec in specs:
        content = render(spec, seeds, root)
        schemas.validate(content, Table, root / FOLDER / f"{spec.id}.json")
        try:
            rendered.append((spec, content, to_latex(content, root)))
        except (ValueError, jinja2.TemplateError) as error:
            raise BadInput(f"{content['spec']}: {error}") from error
    for spec, content, text in rendered:
        files.write_json(root / FOLDER / f"{spec.id}.json", content)
        files.write_text(root / FOLDER / f"{spec.id}.tex", text)
    for study in sorted({spec.study for spec in specs}):
        parts = [text for spec, _, text in rendered if spec.study == study and spec.seeds == "all"]
        head = "% The tables over all seeds, one after another. Needs \\usepackage{booktabs}.\n"
        files.write_text(root / paths.aggregated(study) / "paper_ready_tables.tex", "\n".join([head, *parts]))
