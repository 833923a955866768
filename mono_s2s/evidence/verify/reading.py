"""A run's files read one by one, so that one damaged file does not hide what is wrong with the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mono_s2s import files, paths
from mono_s2s.evidence import collection, examples, filing, integrity, metadata, schemas, tasks
from mono_s2s.evidence.verify.findings import Findings
from mono_s2s.scale import ARMS

TEXTS = ("experiment_log.txt",)


@dataclass(frozen=True)
class Read:
    """One run as far as it could be read; `filed` only if all of it could."""

    folder: Path
    rows: Mapping[str, list[examples.Row]]
    filed: integrity.Filed


def run(study: str, seed: int, root: Path, findings: Findings) -> Read | None:
    """Read every file of a run; None where one of them cannot be used."""
    folder = root / paths.results(study, seed)
    if not folder.is_dir():
        findings.add("schema", f"{paths.results(study, seed)}: missing: run `dvc repro` to run seed {seed}")
        return None
    task = tasks.of(study)
    parts: dict[str, Any] = {}
    rows: dict[str, list[examples.Row]] = {}
    raw: Any = None
    for name, kind in task.files.items():
        with findings.guarded("schema", f"{folder / name}"):
            parts[name] = schemas.read(folder / name, kind)
    with findings.guarded("schema", f"{folder / 'metadata.json'}"):
        raw = files.read_json(folder / "metadata.json")
        parts["metadata.json"] = schemas.validate(raw, metadata.Metadata, folder / "metadata.json")
    for name, columns in {**task.columns, "training_curves.csv": collection.CURVES}.items():
        with findings.guarded("schema", f"{folder / name}"):
            rows[name] = examples.read(folder / name, columns)
            findings.count("examples", len(rows[name]) if name in task.columns else 0)
    for name in TEXTS:
        if not (folder / name).is_file():
            findings.add("schema", f"{folder / name}: missing: run `dvc repro`")
    wanted = {*filing.RESULTS_FILES.values(), "metadata.json"}
    for path in sorted(folder.iterdir()):
        if path.name not in wanted:
            findings.add("schema", f"{path}: no stage writes such a file: remove it")
    findings.count("files", len(wanted))
    if len(parts) < len(task.files) + 1 or len(rows) < len(task.columns) + 1:
        return None
    found = collection.Run(
        study=study,
        seed=seed,
        paths={name: folder / name for name in collection.COPIED},
        data=parts["data_statistics.json"],
        training={arm: parts[f"{arm}_training.json"] for arm in ARMS},
        evaluation=parts["evaluation_results.json"],
        uat=parts["uat_results.json"],
        hotflip=parts["hotflip_results.json"],
    )
    with findings.guarded("identity", f"{folder}"):
        collection.check_identity(found)
    final = parts["final_results.json"].model_dump()
    filed = None
    with findings.guarded("schema", f"{folder}"):
        filed = integrity.as_filed(found, raw, parts["metadata.json"], final, rows)
    return Read(folder, rows, filed) if filed is not None else None
