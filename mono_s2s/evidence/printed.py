"""The paper's numbers as they are printed now, each with what it was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mono_s2s import files, paths
from mono_s2s.evidence import numbers, schemas, tables
from mono_s2s.evidence.lineage import Graph, Origin, Origins
from mono_s2s.evidence.numbers import Place
from mono_s2s.files import BadInput
from mono_s2s.params import Params

# As in `aggregation`, which would load numpy for it.
_TESTS = "statistical_tests.json"


@dataclass(frozen=True)
class Printed:
    """One printed number and what it was computed from."""

    key: str
    place: Place
    origin: Origin
    # Addresses of the stages whose results it draws on, and of those with all that is upstream.
    direct: frozenset[str]
    above: frozenset[str]

    @property
    def table(self) -> str:
        """Where it is printed, in short: table_5, or prose."""
        return "_".join(self.place.table.split("_")[:2]) if self.place.table else "prose"


def rendered(root: Path = Path()) -> list[dict[str, Any]]:
    """The tables as they lie in paper_evidence/, in the order of their numbers.

    Raises:
        BadInput: there are none, or one is against its schema.
    """
    paths = sorted((root / tables.FOLDER).glob("table_*.json"), key=lambda path: int(path.stem.split("_")[1]))
    if not paths:
        raise BadInput("paper_evidence: no table_*.json here: run `dvc repro`, or go to the top folder of the checkout")
    try:
        return [schemas.read(path, tables.Table).model_dump() for path in paths]
    except BadInput as error:
        raise BadInput(f"{error}: rendered by other code than this: run `dvc repro`") from error


def origins(params: Params, root: Path = Path()) -> Origins:
    """What is to be known beside a pointer: the paper's seeds and the families of its tests."""
    tests = {study: root / paths.aggregated(study) / _TESTS for study in params.studies}
    found = {study: files.read_json(path) for study, path in tests.items() if path.is_file()}
    added = [int(seed) for content in found.values() for seed in content.get("seeds", ())]
    return Origins(
        seeds=tuple(dict.fromkeys([*params.seeds, *added])),
        families={study: content.get("families", {}) for study, content in found.items()},
        clean_costs={
            study: content["equivalence"]["metric"] for study, content in found.items() if "equivalence" in content
        },
    )


def read(graph: Graph, params: Params, root: Path = Path()) -> list[Printed]:
    """Every number that the paper prints, its parts not counted apart.

    Raises:
        BadInput: a table or a declared number cannot be read.
    """
    known = origins(params, root)
    found = []
    for key, place in numbers.collect(rendered(root), params.seeds, root).items():
        if place.part_of is None:
            origin = known.of(place.source, place.pointer)
            direct = origin.direct()
            above = frozenset().union(*(graph.above(name) for name in direct))
            found.append(Printed(key, place, origin, direct, above))
    return found


def matches(content: Any, place: Place) -> bool:
    """Whether a file still holds a number's value at its pointer."""
    found = tables.lookup(content, place.pointer)
    if isinstance(place.value, Mapping):
        return isinstance(found, Mapping) and all(found.get(key) == part for key, part in place.value.items())
    return found == place.value


def line(key: str, place: Place) -> str:
    """A number's line in numbers.tex."""
    return numbers.to_latex({key: place}).splitlines()[-1]


def lines(root: Path = Path()) -> dict[str, str]:
    """Every number's line in numbers.tex by its name, as the file lies there; none where there is no file."""
    path = root / numbers.RENDERED
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {found.split("{", 2)[1].partition("}")[0]: found for found in text.splitlines() if found.startswith("\\")}
