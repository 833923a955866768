"""metadata.json of a run, put together from what its stages recorded, and the run filed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mono_s2s import files, paths
from mono_s2s.evidence import collection, metadata, schemas
from mono_s2s.scale import ARMS

RESULTS_FILES = {
    "baseline_training": "baseline_training.json",
    "monotonic_training": "monotonic_training.json",
    "evaluation": "evaluation_results.json",
    "uat": "uat_results.json",
    "hotflip": "hotflip_results.json",
    "final": "final_results.json",
    "data_statistics": "data_statistics.json",
    "training_curves": "training_curves.csv",
    "evaluation_examples": "evaluation_examples.csv",
    "reference_points": "reference_points.csv",
    "uat_examples": "uat_examples.csv",
    "hotflip_examples": "hotflip_examples.csv",
    "log": "experiment_log.txt",
}


def describe(
    run: collection.Run,
    records: Mapping[str, metadata.Record],
    section: Mapping[str, Any],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """The content of metadata.json.

    Args:
        run: the run's results.
        records: its stages' records, by name.
        section: the study's section of the scale file.
        seeds: the paper's seeds, the leading one first.

    Raises:
        BadInput: a stage ran with other parameters than `section`.
    """
    own = metadata.own(records)
    started, ended = metadata.span(own)
    first = min(own, key=lambda record: record.started)
    return {
        "schema_version": 1,
        "experiment_id": metadata.experiment_id(run.study, run.data.scale, run.seed, started),
        "experiment_type": metadata.EXPERIMENT_TYPES[run.study],
        "study": run.study,
        "scale": run.data.scale,
        "timestamp_start": started,
        "timestamp_end": ended,
        "seed": run.seed,
        "model": run.training["baseline"].model.model_dump(),
        "hardware": metadata.hardware(own),
        "hyperparameters": collection.hyperparameters(records, run.study, section),
        "results_files": RESULTS_FILES,
        "checkpoints": {
            model: {
                "sha256": run.checkpoints[model],
                "path": path.as_posix(),
                "archived_to": None,
            }
            for model, path in paths.checkpoints(run.study, run.seed).items()
        },
        "data_digest": run.data.data_digest,
        "status": "complete",
        "verification": {
            "all_stages_completed": True,
            "results_validated": True,
            "used_in_paper": run.seed in seeds,
            "paper_tables": metadata.paper_tables(run.study, run.seed, seeds),
        },
        "git": first.git.model_dump(),
        "versions": first.versions,
        "stages": {name: record.model_dump() for name, record in records.items()},
    }


def file_run(
    study: str,
    seed: int,
    section: Mapping[str, Any],
    seeds: Sequence[int],
    root: Path = Path(),
) -> None:
    """Check what the heavy stages of a run left under runs/ and file it under experiment_results/.

    Raises:
        BadInput: anything is missing or does not fit; nothing is written then.
    """
    where = {name: root / path for name, path in collection.sources(study, seed).items()}
    run = collection.read(study, seed, where)
    records = collection.read_records(study, seed, root)
    collection.check_examples(run)
    curves = collection.curves(run, {arm: root / paths.seed(study, seed) / arm / "curves.csv" for arm in ARMS})
    target = root / paths.results(study, seed)
    described = schemas.validate(describe(run, records, section, seeds), metadata.Metadata, target / "metadata.json")
    final = collection.final(run)
    schemas.validate(final, schemas.Final, target / "final_results.json")
    for name, path in where.items():
        files.write_bytes(target / name, path.read_bytes())
    files.write_csv(target / "training_curves.csv", collection.CURVES, curves)
    files.write_json(target / "final_results.json", final)
    files.write_json(target / "metadata.json", described.model_dump())
    files.write_text(target / "experiment_log.txt", metadata.log(described))
