"""The paper's numbers as LaTeX macros: every table cell, and what paper_evidence/specs/numbers.yaml declares for prose.

A number has a name and is printed by `\\evidence{name}` (paper_evidence/monos2s.sty). A number of several parts, a mean
with its standard deviation say, has one name more for each: `<name>.mean`, `<name>.sd`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from mono_s2s import files
from mono_s2s.evidence import formatting, specs, tables
from mono_s2s.evidence.specs import PLAIN, SPECS, Cells, Kind
from mono_s2s.files import BadInput
from mono_s2s.params import Params, load_params
from mono_s2s.scale import STUDIES, Section, read_yaml, typed

DECLARED = SPECS / "numbers.yaml"
RENDERED = tables.FOLDER / "numbers.tex"
_WORD = re.compile(r"\{(\w+)\}")


class Entry(Cells):
    """One entry of numbers.yaml: one number in each of its studies, or one for each choice of its words."""

    # The study's short name comes before it.
    key: str
    source: str = "summary"
    pointer: str
    kind: Kind
    # The studies that have it, by short name; without it all of them.
    studies: list[str] = Field(default_factory=list)
    # For each word in braces in key and pointer, what it stands for; a mapping says the pointer's side separately.
    each: dict[str, list[str] | dict[str, str]] = Field(default_factory=dict)
    # Source and pointer of an object; {group} is each of its keys.
    over: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        if self.decimals is None and self.kind not in (*PLAIN, "test"):
            raise ValueError(f"key {self.key}: decimals: missing: a {self.kind} needs them")
        words = set(self.each) | ({"group"} if self.over else set())
        for word in [*_WORD.findall(self.key), *_WORD.findall(self.pointer)]:
            if word not in words:
                raise ValueError(f"key {self.key}: nothing says what {{{word}}} stands for: add it to each")
        for part in (_WORD.sub("", self.key), *(name for names in self.each.values() for name in names)):
            if not re.fullmatch(r"[A-Za-z0-9._-]*", part):
                raise ValueError(f"key {self.key}: letters, digits, dots, underscores and hyphens alone make a name")
        return self


class Declaration(Section):
    """paper_evidence/specs/numbers.yaml."""

    # Short name, with which a number's name begins, and study.
    studies: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")], Literal[STUDIES]] = Field(min_length=1)
    # As in a table's spec.
    sources: dict[str, str]
    numbers: list[Entry] = Field(min_length=1)

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> Self:
        for entry in self.numbers:
            named = [entry.source] if entry.over is None else [entry.source, entry.over[0]]
            for name in named:
                if name not in self.sources:
                    raise ValueError(f"key {entry.key}: source {name} is not declared under sources")
            for name in entry.studies:
                if name not in self.studies:
                    raise ValueError(f"key {entry.key}: study {name} is not declared under studies")
        return self


@dataclass(frozen=True)
class Number:
    """One declared number: where it comes from and how it is printed, as `specs.Cell` says it of a table's."""

    key: str
    study: str
    source: str
    pointer: str
    kind: Kind
    decimals: int
    shift: int
    absent: bool


@dataclass(frozen=True)
class Place:
    """One printed number, or a part of one: what is printed, and where its raw value stands."""

    # Path of the file, from the top folder.
    source: str
    pointer: str
    value: Any
    text: str
    # What the macro expands to.
    latex: str
    study: str
    # Of a table's cell: the table's id, the row's title with its block, the column's with its span.
    table: str | None
    row: str | None
    column: str | None
    # Of a part: the whole number's name.
    part_of: str | None


def _choices(entry: Entry, groups: Sequence[str]) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """What stands for the words in key and in pointer, for each choice of them."""
    pairs = {
        word: list(values.items()) if isinstance(values, Mapping) else [(value, value) for value in values]
        for word, values in entry.each.items()
    }
    if entry.over is not None:
        pairs["group"] = [(specs.slug(group), group.replace("~", "~0").replace("/", "~1")) for group in groups]
    for chosen in itertools.product(*pairs.values()):
        yield (
            {word: names[0] for word, names in zip(pairs, chosen, strict=True)},
            {word: names[1] for word, names in zip(pairs, chosen, strict=True)},
        )


def _filled(template: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        template = template.replace(f"{{{word}}}", value)
    return template


def declaration(root: Path = Path()) -> Declaration:
    """The content of numbers.yaml.

    Raises:
        BadInput: it is missing, or a key is wrong.
    """
    return typed(Declaration, read_yaml(root / DECLARED), DECLARED.as_posix())


def _of(entry: Entry, short: str, study: str, sources: Mapping[str, str], groups: Sequence[str]) -> Iterator[Number]:
    """The numbers of one entry in one study; `groups` are what it goes over."""
    for in_key, in_pointer in _choices(entry, groups):
        yield Number(
            key=f"{short}.{_filled(entry.key, in_key)}",
            study=study,
            source=sources[entry.source],
            pointer=_filled(entry.pointer, in_pointer),
            kind=entry.kind,
            decimals=4 if entry.kind == "test" else entry.decimals or 0,
            shift=entry.shift or 0,
            absent=entry.absent,
        )


def load(root: Path = Path(), seeds: Sequence[int] | None = None) -> list[Number]:
    """The numbers that numbers.yaml declares, in its order, study by study.

    Args:
        root: the top folder.
        seeds: the paper's seeds, the leading one first; those of params.yaml without it.

    Raises:
        BadInput: the file is missing or wrong, two numbers have one name, or what an entry goes over is missing.
    """
    declared = declaration(root)
    lead = (seeds or load_params(root).seeds)[0]
    found: dict[str, Number] = {}
    for short, study in declared.studies.items():
        sources = {name: path.format(study=study, lead=lead) for name, path in declared.sources.items()}
        for entry in declared.numbers:
            if entry.studies and short not in entry.studies:
                continue
            groups: Sequence[str] = ()
            if entry.over is not None:
                node = tables.lookup(files.read_json(root / sources[entry.over[0]]), entry.over[1])
                if not isinstance(node, Mapping):
                    raise BadInput(f"{sources[entry.over[0]]}: {entry.over[1]}: no object to go over ({DECLARED})")
                groups = sorted(node)
            for number in _of(entry, short, study, sources, groups):
                if number.key in found:
                    raise BadInput(f"{DECLARED}: two numbers are called {number.key}: give one another key")
                found[number.key] = number
    return list(found.values())


def parts(value: Any, text: str, kind: Kind | None = None) -> dict[str, tuple[str, Any, str]]:
    """The parts of a printed number, cut out of its text: by name, what follows the pointer, the value, the text.

    Args:
        value: the raw value (`tables.value_of`).
        text: the printed text of the whole.
        kind: the number's kind; without it, a table cell's is told from its value.
    """
    if kind == "p":
        return {"relation": ("", value, formatting.relation(text))}
    if not isinstance(value, Mapping):
        return {}
    if "p_holm" in value:
        p = text.removesuffix(formatting.DAGGER)
        return {
            "p": ("/p_holm", value["p_holm"], p),
            "p.relation": ("/p_holm", value["p_holm"], formatting.relation(p)),
        }
    if "sd" in value:
        names = ("mean", "sd")
        texts = text.split(" ± ")
        return {name: (f"/{name}", value[name], one) for name, one in zip(names, texts, strict=True)}
    mean, _, brackets = text.rpartition("[")
    texts = brackets.removesuffix("]").split(", ")
    ends = {name: (f"/{name}", value[name], one) for name, one in zip(("lower", "upper"), texts, strict=True)}
    if not mean:
        return ends
    both = ("", {end: value[end] for end in ends}, f"[{brackets}")
    return {"mean": ("/mean", value["mean"], mean.strip()), **ends, "range": both}


def _with_parts(key: str, place: Place, kind: Kind | None) -> Iterator[tuple[str, Place]]:
    yield key, place
    for name, (below, value, text) in parts(place.value, place.text, kind).items():
        yield (
            f"{key}.{name}",
            replace(
                place,
                pointer=place.pointer + below,
                value=value,
                text=text,
                latex=formatting.prose(text),
                part_of=key,
            ),
        )


def _of_table(table: Mapping[str, Any]) -> Iterator[tuple[str, Place]]:
    """The numbers of one rendered table, in its order."""
    for row in table["rows"]:
        for column, cell in zip(table["columns"], row["cells"], strict=True):
            if cell["key"] is None:
                continue
            place = Place(
                source=cell["source"],
                pointer=cell["pointer"],
                value=cell["value"],
                text=cell["text"],
                latex=formatting.prose(cell["text"]),
                study=table["study"],
                table=table["id"],
                row=" / ".join(part for part in (row["block"], row["title"].strip()) if part),
                column=" / ".join(part for part in (column["span"], column["title"]) if part),
                part_of=None,
            )
            yield from _with_parts(cell["key"], place, None)


def look_up(number: Number, content: Any) -> Place | None:
    """Where a declared number stands in the content of its file; None where nothing does and it says `absent`.

    Raises:
        BadInput: nothing stands there, or not what the number's kind asks for.
    """
    where = f"{number.source}: {number.pointer}"
    found = tables.lookup(content, number.pointer)
    if found is tables._MISSING:
        if number.absent:
            return None
        raise BadInput(f"{where}: not there, {DECLARED} asks for it ({number.key}): run `dvc repro`, or mend it")
    value = tables.value_of(found, number.kind)
    if value is tables._MISSING:
        raise BadInput(f"{where}: not a {number.kind}, which {DECLARED} asks for ({number.key}): mend it")
    try:
        text = tables.text_of(value, number)
        latex = formatting.latex(text) if number.kind == "text" else formatting.prose(text)
    except ValueError as error:
        raise BadInput(f"{where}: {error} ({DECLARED}: {number.key})") from error
    return Place(number.source, number.pointer, value, text, latex, number.study, None, None, None, None)


def collect(rendered: Sequence[Mapping[str, Any]], seeds: Sequence[int], root: Path = Path()) -> dict[str, Place]:
    """Every number by its name: those of the rendered tables, then the declared ones.

    Raises:
        BadInput: as `load` and `look_up`; or a declared number has the name of a table's.
    """
    found = {key: place for table in rendered for key, place in _of_table(table)}
    contents: dict[str, Any] = {}
    for number in load(root, seeds):
        if number.source not in contents:
            contents[number.source] = files.read_json(root / number.source)
        place = look_up(number, contents[number.source])
        if place is None:
            continue
        for key, part in _with_parts(number.key, place, number.kind):
            if key in found:
                raise BadInput(f"{DECLARED}: {key}: another number is called so: give one another key")
            found[key] = part
    return found


def keys(root: Path = Path()) -> dict[str, Place]:
    """Every number of the paper by its name, looked up anew in the result files.

    Raises:
        BadInput: a spec or a result file is missing or wrong.
    """
    seeds = load_params(root).seeds
    return collect([tables.render(spec, seeds, root) for spec in specs.load(root)], seeds, root)


def to_latex(found: Mapping[str, Place]) -> str:
    """The content of numbers.tex: a line a number, with its text, its value for programs, and its place."""
    lines = [
        "% Every number of the paper: rendered by stage tables from paper_evidence/specs; edits are lost.",
        "% Read by monos2s.sty. Name, text, bare value, file, JSON pointer.",
    ]
    for key, place in found.items():
        pointer = quote(place.pointer, safe="/").replace("~", "%7E").replace("%", r"\monospercent ")
        lines.append(
            rf"\monosdefine{{{key}}}{{{place.latex}}}{{{formatting.bare(place.text)}}}{{{place.source}}}{{{pointer}}}%"
        )
    return "\n".join([*lines, ""])


def render(params: Params, root: Path = Path()) -> str:
    """The content of numbers.tex, from the specs and the result files.

    Raises:
        BadInput: a spec or a result file is missing or wrong.
    """
    return to_latex(collect([tables.render(spec, params.seeds, root) for spec in specs.load(root)], params.seeds, root))


def write(params: Params, root: Path = Path()) -> None:
    """Render every table and every number, and write them.

    Raises:
        BadInput: one of them cannot be rendered; nothing is written then.
    """
    text = render(params, root)
    tables.write_all(specs.load(root), params.seeds, root)
    files.write_text(root / RENDERED, text)
