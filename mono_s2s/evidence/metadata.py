"""metadata.json and experiment_log.txt: everything about a run that is not a result, and the only place for times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from mono_s2s.evidence.schemas import Count, ModelFacts, Part, Sha256

Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}(\.dir)?$")]
EXPERIMENT_TYPES = {"t5_experiments": "t5_summarization", "foundation_llm_experiments": "foundation_llm"}
# Stages whose work is shared by all seeds of a study.
SHARED = ("corpus", "standard")
# Names of a run's records, in the order in which the pipeline runs.
RECORDS = (*SHARED, "train.baseline", "train.monotonic", "evaluate", "uat", "hotflip")


# Which runs the paper's tables draw on: the leading seed's, or all.
PAPER_TABLES = {
    "t5_experiments": {
        "table_1_training_dynamics": "lead",
        "table_2_rouge_scores": "lead",
        "table_3_multiseed_training": "all",
        "table_4_multiseed_rouge": "all",
        "table_5_hotflip_attacks": "all",
        "table_6_uat_attacks": "all",
    },
    "foundation_llm_experiments": {"table_7_foundation_models": "all"},
}


class Git(Part):
    """State of the checkout when a stage started; null where git could not tell."""

    commit: str | None
    branch: str | None
    tag: str | None
    dirty: bool | None


class Machine(Part):
    """What a stage ran on."""

    node: str
    processor: str
    cores: int | None
    gpu: str | None
    slurm: dict[str, str]


class Record(Part):
    """record.json: what one process said about itself while it ran (mono_s2s/record.py)."""

    schema_version: Literal[1]
    stage: str
    command: list[str] = Field(min_length=1)
    identity: dict[str, Any]
    code: dict[str, Md5]
    params: dict[str, dict[str, Any]]
    inputs: dict[str, Md5]
    outputs: dict[str, Md5]
    git: Git
    hardware: Machine
    versions: dict[str, str]
    started: str
    ended: str
    seconds: Annotated[float, Field(ge=0)]


class Hardware(Part):
    """What a run was computed on; several nodes are joined by commas."""

    gpu: str | None
    node: str
    slurm_job_ids: list[str]
    processor: str


class Checkpoint(Part):
    """Where a model's weights lie in a checkout that has them, and which they are."""

    sha256: Sha256
    path: str
    archived_to: str | None


class Verification(Part):
    """What was checked when the run was filed."""

    all_stages_completed: bool
    results_validated: bool
    # Whether the seed was one of params.yaml's when the run was filed; experiment_index.json says it for today.
    used_in_paper: bool
    paper_tables: list[str]


class Metadata(Part):
    """metadata.json."""

    schema_version: Literal[1]
    experiment_id: str
    experiment_type: str
    study: str
    scale: str
    timestamp_start: str
    timestamp_end: str
    seed: Count
    model: ModelFacts
    hardware: Hardware
    hyperparameters: dict[str, Any]
    results_files: dict[str, str]
    checkpoints: dict[str, Checkpoint]
    data_digest: Sha256
    status: Literal["complete"]
    verification: Verification
    # Of the run's first stage; each stage's own stands under `stages`.
    git: Git
    versions: dict[str, str]
    stages: dict[str, Record]


def paper_tables(study: str, seed: int, seeds: Sequence[int]) -> list[str]:
    """Ids of the paper's tables that draw on a run; none if it is no paper seed.

    Said here once more, and held against the specs by a test: if a run's metadata depended on the specs, a new caption
    would file every run anew, which a clone without checkpoints cannot do.
    """
    tables = PAPER_TABLES[study]
    return [name for name, drawn in tables.items() if seed in seeds and (drawn == "all" or seed == seeds[0])]


def own(records: Mapping[str, Any]) -> list[Record]:
    """The records of the run itself, without those of stages that all seeds share."""
    return [records[name] for name in RECORDS if name not in SHARED]


def _joined(values: Sequence[str | None]) -> str | None:
    found = sorted({value for value in values if value})
    return ", ".join(found) or None


def hardware(records: Sequence[Record]) -> dict[str, Any]:
    """Everything that the given stages ran on."""
    jobs = {record.hardware.slurm["SLURM_JOB_ID"] for record in records if "SLURM_JOB_ID" in record.hardware.slurm}
    return {
        "gpu": _joined([record.hardware.gpu for record in records]),
        "node": _joined([record.hardware.node for record in records]) or "unknown",
        "slurm_job_ids": sorted(jobs),
        "processor": _joined([record.hardware.processor for record in records]) or "unknown",
    }


def span(records: Sequence[Record]) -> tuple[str, str]:
    """When the first of the records started and the last ended, as written in them."""
    first = min(records, key=lambda record: datetime.fromisoformat(record.started))
    last = max(records, key=lambda record: datetime.fromisoformat(record.ended))
    return first.started, last.ended


def experiment_id(study: str, scale: str, seed: int, started: str) -> str:
    """Name of a run: study, scale, seed and the day on which its first own stage started."""
    return f"{study}_{scale}_seed{seed}_{datetime.fromisoformat(started):%Y%m%d}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours} h {minutes:02d} min {rest:04.1f} s" if hours else f"{minutes} min {rest:04.1f} s"


def log(metadata: Metadata) -> str:
    """experiment_log.txt: the run's stages as a reader wants them, from the records."""
    lines = [
        f"{metadata.experiment_id}: {metadata.study}, seed {metadata.seed}, scale {metadata.scale}",
        f"{metadata.timestamp_start} to {metadata.timestamp_end}",
        "",
    ]
    for name in RECORDS:
        record = metadata.stages[name]
        shared = " (shared by all seeds)" if name in SHARED else ""
        commit = (record.git.commit or "no commit")[:12] + (" with local edits" if record.git.dirty else "")
        gpu = f", {record.hardware.gpu}" if record.hardware.gpu else ""
        jobs = record.hardware.slurm.get("SLURM_JOB_ID")
        lines += [
            f"{name}{shared}",
            f"  command   {' '.join(['python', *record.command[1:]])}",
            f"  started   {record.started}",
            f"  ended     {record.ended}",
            f"  duration  {_duration(record.seconds)}",
            f"  host      {record.hardware.node}, {record.hardware.processor}{gpu}",
            *([f"  slurm     job {jobs}"] if jobs else []),
            f"  commit    {commit}",
            f"  outputs   {', '.join(sorted(record.outputs))}",
            "",
        ]
    return "\n".join(lines)
