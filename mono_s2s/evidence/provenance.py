"""Which runs every printed number came from: paper_evidence/provenance.json and PAPER_EVIDENCE_README.md.

Dates are those of the runs, never the clock's: rendering twice gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from mono_s2s import files, paths
from mono_s2s.evidence import ledger, metadata, numbers, schemas, tables
from mono_s2s.evidence.metadata import Md5
from mono_s2s.evidence.schemas import Part, Sha256
from mono_s2s.evidence.specs import Kind
from mono_s2s.files import BadInput
from mono_s2s.params import Params

LOCKS = ("stages/dvc.lock", "paper_evidence/dvc.lock")
VERIFIED_BY = (
    "stage aggregate (dvc.lock, the records of the processes and this checkout agree), stage provenance (each value "
    "still stands in its file, whose md5 is the one in dvc.lock)"
)


class Commit(Part):
    """The code that a stage of a run was started from."""

    commit: str | None
    dirty: bool | None


class Experiment(Part):
    """One run that the paper draws on."""

    path: str
    seed: int
    scale: str
    started: str
    ended: str
    data_digest: Sha256
    # SHA-256 of the one JSON form of metadata.json: hyperparameters.
    parameters_digest: Sha256
    checkpoints: dict[str, Sha256]
    # By stage.
    code: dict[str, Commit]


class Value(Part):
    """One printed number."""

    # Name of its macro.
    key: str
    file: str
    pointer: str
    value: int | float | str | list[int] | dict[str, float | int | bool]
    text: str
    # What the macros of its parts print: <key>.<part>.
    parts: dict[str, str]
    # Of the file, as in dvc.lock.
    md5: Md5
    # Stage that wrote the file, as DVC addresses it.
    stage: str
    experiments: list[str]
    commits: list[str]


class TableProvenance(Part):
    """Where one table's numbers come from."""

    source_experiment: list[str]
    source_files: list[str]
    extracted_values: dict[str, Value]
    extraction_date: str
    verified_by: str


class Provenance(Part):
    """paper_evidence/provenance.json."""

    schema_version: Literal[2]
    paper: str
    version: str
    experiments: dict[str, Experiment]
    tables: dict[str, TableProvenance]
    # By key: what numbers.yaml declares. A table's numbers stand with their table.
    numbers: dict[str, Value]


def _read_runs(params: Params, root: Path) -> list[metadata.Metadata]:
    return [
        schemas.read(root / paths.results(study, seed) / "metadata.json", metadata.Metadata)
        for study in params.studies
        for seed in params.seeds
    ]


def _experiment(run: metadata.Metadata) -> dict[str, Any]:
    return {
        "path": paths.results(run.study, run.seed).as_posix(),
        "seed": run.seed,
        "scale": run.scale,
        "started": run.timestamp_start,
        "ended": run.timestamp_end,
        "data_digest": run.data_digest,
        "parameters_digest": files.digest(run.hyperparameters),
        "checkpoints": {model: found.sha256 for model, found in run.checkpoints.items()},
        "code": {name: {"commit": record.git.commit, "dirty": record.git.dirty} for name, record in run.stages.items()},
    }


class Sources:
    """Source files of printed numbers: their stage, MD5 and content, read once each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._written: dict[str, tuple[str, str]] = {}
        for lock in LOCKS:
            folder = str(Path(lock).parent)
            for stage, entry in ledger.read_lock(root / lock).items():
                for path, md5 in entry.outs.items():
                    self._written[path] = (f"{folder}/dvc.yaml:{stage}", md5)
        self._known: dict[str, tuple[str, str, Any]] = {}

    def __getitem__(self, path: str) -> tuple[str, str, Any]:
        """Stage, MD5 and content of a file.

        Raises:
            BadInput: no stage wrote it, or it is no longer what the stage wrote.
        """
        if path not in self._known:
            if path not in self._written:
                raise BadInput(f"{path}: no stage in dvc.lock wrote it, yet the paper draws on it: run `dvc repro`")
            stage, md5 = self._written[path]
            if not (self.root / path).is_file() or files.md5(self.root / path) != md5:
                raise BadInput(f"{path}: edited after {stage} wrote it (dvc.lock says md5 {md5}): run `dvc repro`")
            self._known[path] = (stage, md5, files.read_json(self.root / path))
        return self._known[path]


def _matches(found: Any, value: Any) -> bool:
    if isinstance(value, Mapping):
        return isinstance(found, Mapping) and all(found.get(key) == part for key, part in value.items())
    return found == value


def _parts(value: Any, text: str, kind: Kind | None) -> dict[str, str]:
    return {name: part for name, (_, _, part) in numbers.parts(value, text, kind).items()}


def _origin(path: str, study: str, runs: Mapping[str, metadata.Metadata], sources: Sources) -> dict[str, Any]:
    """Who wrote a source file, and the runs and commits behind it: an aggregated one stands for all of its study."""
    stage, md5, _ = sources[path]
    everyone = [name for name, run in runs.items() if run.study == study]
    of = [name for name in everyone if path.startswith(f"{_folder(runs[name])}/")] or everyone
    commits = {record.git.commit for run in of for record in metadata.own(runs[run].stages)}
    return {
        "md5": md5,
        "stage": stage,
        "experiments": of,
        "commits": sorted(commit for commit in commits if commit),
    }


def _numbers(
    seeds: Sequence[int], runs: Mapping[str, metadata.Metadata], sources: Sources, root: Path
) -> dict[str, Any]:
    """The provenance of every number that numbers.yaml declares."""
    found = {}
    for number in numbers.load(root, seeds):
        place = numbers.look_up(number, sources[number.source][2])
        if place is not None:
            found[number.key] = {
                "key": number.key,
                "file": place.source,
                "pointer": place.pointer,
                "value": place.value,
                "text": place.text,
                "parts": _parts(place.value, place.text, number.kind),
                **_origin(place.source, number.study, runs, sources),
            }
    return found


def _table(table: tables.Table, runs: Mapping[str, metadata.Metadata], sources: Sources) -> dict[str, Any]:
    """The provenance of one table; `runs` are its study's, by experiment id."""
    drawn = {name: run for name, run in runs.items() if run.study == table.study and run.seed in table.seeds}
    values: dict[str, Any] = {}
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            if cell.source is None or cell.pointer is None:
                continue
            if not _matches(tables.lookup(sources[cell.source][2], cell.pointer), cell.value):
                raise BadInput(
                    f"{tables.FOLDER}/{table.id}.json: {row.title}, {column.title}: not what stands at {cell.source}: "
                    f"{cell.pointer}: run `dvc repro`"
                )
            name = " / ".join(part for part in (row.block, row.title.strip(), column.span, column.title) if part)
            if name in values:
                raise BadInput(f"{table.spec}: two cells are called {name!r}: give a row or a column another title")
            values[name] = {
                "key": cell.key,
                "file": cell.source,
                "pointer": cell.pointer,
                "value": cell.value,
                "text": cell.text,
                "parts": _parts(cell.value, cell.text, None),
                **_origin(cell.source, table.study, runs, sources),
            }
    return {
        "source_experiment": list(drawn),
        "source_files": table.source_files,
        "extracted_values": values,
        "extraction_date": _date(list(drawn.values())),
        "verified_by": VERIFIED_BY,
    }


def _folder(run: metadata.Metadata) -> str:
    return paths.results(run.study, run.seed).as_posix()


def _date(runs: Sequence[metadata.Metadata]) -> str:
    return max(datetime.fromisoformat(run.timestamp_end) for run in runs).date().isoformat()


def trace(params: Params, names: Sequence[str], root: Path = Path()) -> dict[str, Any]:
    """The content of provenance.json for the tables called `names` and the declared numbers.

    Raises:
        BadInput: a table, a run or a source file is missing or edited, a value is no longer in its file, or numbers.tex
            says something else.
    """
    found = _read_runs(params, root)
    runs = {run.experiment_id: run for run in found}
    sources = Sources(root)
    rendered = {name: schemas.read(root / tables.FOLDER / f"{name}.json", tables.Table) for name in names}
    traced = {name: _table(table, runs, sources) for name, table in rendered.items()}
    declared = _numbers(params.seeds, runs, sources, root)
    text = numbers.to_latex(numbers.collect([table.model_dump() for table in rendered.values()], params.seeds, root))
    path = root / numbers.RENDERED
    if not path.is_file() or path.read_bytes() != text.encode():
        raise BadInput(f"{numbers.RENDERED}: not what the tables and {numbers.DECLARED} say: run `dvc repro`")
    return {
        "schema_version": 2,
        "paper": f"{tables.FOLDER}/table_*.tex, {numbers.RENDERED}",
        "version": _date(found),
        "experiments": {name: _experiment(run) for name, run in runs.items()},
        "tables": traced,
        "numbers": declared,
    }


def readme(provenance: Mapping[str, Any], captions: Mapping[str, str]) -> str:
    """PAPER_EVIDENCE_README.md: what lies in paper_evidence/ and how to follow a number to its run."""
    scales = sorted({run["scale"] for run in provenance["experiments"].values()})
    lines = [
        "# Paper evidence",
        "",
        f"Rendered by `dvc repro` from the runs of scale {', '.join(scales)}, the last of which ended on "
        f"{provenance['version']}. Nothing here is typed by hand: edits are lost, change the specs instead.",
        "",
        "| table | caption | numbers | runs |",
        "|---|---|---|---|",
    ]
    for name, table in provenance["tables"].items():
        lines.append(
            f"| [{name}]({name}.json) ([LaTeX]({name}.tex)) | {captions[name]} | {len(table['extracted_values'])} | "
            f"{len(table['source_experiment'])} |"
        )
    lines += [
        f"| [numbers.tex](numbers.tex) | for sentences: `\\evidence{{key}}` | {len(provenance['numbers'])} | "
        f"{len(provenance['experiments'])} |",
        "",
        "- `table_N_*.json`: every cell with raw value, printed text, source file and the JSON pointer in it.",
        "- `table_N_*.tex`: the table as a LaTeX float; needs `\\usepackage{booktabs}` and nothing else.",
        "- `numbers.tex`: every number as a macro, the tables' cells too; `monos2s.sty` prints them and refuses a name "
        "that is not there; `paper.tex` uses them. `mono numbers` lists the names.",
        "- `provenance.json`: for every printed number the file, the pointer, the md5 (as in `dvc.lock`), the "
        "stage that wrote it, the runs and the commits of their code; for every run its digests of data, parameters "
        "and checkpoints.",
        "- `specs/`: what each table is made of, and the numbers for sentences. `templates/`: how it looks in LaTeX.",
        "- `dvc.yaml`: aggregate, index, tables, provenance.",
        "",
        "Before anything is added up, stage `aggregate` holds three records against each other for every run: "
        "`stages/dvc.lock`, what each process recorded about itself (`metadata.json`: `stages`), and the files of the "
        "checkout. Where they differ it stops with one line, and no table is rendered.",
        "",
    ]
    return "\n".join(lines)


def write(params: Params, names: Sequence[str], root: Path = Path()) -> None:
    """Trace the rendered tables called `names` and write provenance.json and PAPER_EVIDENCE_README.md.

    Raises:
        BadInput: as `trace`; nothing is written then.
    """
    target = root / tables.FOLDER
    traced = trace(params, names, root)
    schemas.validate(traced, Provenance, target / "provenance.json")
    files.write_json(target / "provenance.json", traced)
    captions = {name: files.read_json(target / f"{name}.json")["caption"] for name in names}
    files.write_text(target / "PAPER_EVIDENCE_README.md", readme(traced, captions))
