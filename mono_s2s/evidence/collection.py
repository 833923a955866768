"""A run's files: read, held against each other, and filed under experiment_results/.

What heavy stages left is copied byte for byte, so that a tracked result can be held against what its process recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mono_s2s import files, paths
from mono_s2s.evidence import examples, metadata, schemas, tasks
from mono_s2s.files import BadInput
from mono_s2s.scale import ARMS

RESULTS = (
    *("baseline_training.json", "monotonic_training.json"),
    *("evaluation_results.json", "uat_results.json", "hotflip_results.json"),
)
# What is copied as it is: name among the tracked files, stage that wrote it.
COPIED = {
    "data_statistics.json": "corpus",
    "baseline_training.json": "train.baseline",
    "monotonic_training.json": "train.monotonic",
    "evaluation_results.json": "evaluate",
    "evaluation_examples.csv": "evaluate",
    "reference_points.csv": "evaluate",
    "uat_results.json": "uat",
    "uat_examples.csv": "uat",
    "hotflip_results.json": "hotflip",
    "hotflip_examples.csv": "hotflip",
}
CURVES = ("arm", *examples.CURVES)


def folder(stage: str, study: str, seed: int) -> Path:
    """Where the stage of a record leaves its files, relative to the top folder."""
    if stage in metadata.SHARED:
        return paths.corpus(study) if stage == "corpus" else paths.standard(study)
    return paths.seed(study, seed) / stage.removeprefix("train.")


def sources(study: str, seed: int) -> dict[str, Path]:
    """Where the heavy stages leave what is filed, by tracked name, relative to the top folder."""
    found = {}
    for name, stage in COPIED.items():
        kind = {"_results.json": "results.json", "_training.json": "results.json", "_examples.csv": "examples.csv"}
        own = next((own for ending, own in kind.items() if name.endswith(ending)), name)
        found[name] = folder(stage, study, seed) / own
    return found


@dataclass(frozen=True)
class Run:
    """The typed results of one run and the paths that they were read from."""

    study: str
    seed: int
    paths: Mapping[str, Path]
    data: schemas.DataStatistics
    training: Mapping[str, schemas.Training]
    evaluation: schemas.Evaluated
    uat: schemas.AnyUat
    hotflip: schemas.AnyHotflip

    @property
    def task(self) -> tasks.Task:
        """What its models do."""
        return tasks.of(self.study)

    @property
    def results(self) -> dict[str, schemas.Identity]:
        """Every result file that says which run it belongs to, by tracked name."""
        return {
            **{f"{arm}_training.json": part for arm, part in self.training.items()},
            "evaluation_results.json": self.evaluation,
            "uat_results.json": self.uat,
            "hotflip_results.json": self.hotflip,
        }

    @property
    def checkpoints(self) -> dict[str, str]:
        """SHA-256 of each model's weights, as stage evaluate found them."""
        return dict(self.evaluation.checkpoints)


def read(study: str, seed: int, where: Mapping[str, Path]) -> Run:
    """Read and type the results of a run from paths by tracked name.

    Raises:
        BadInput: a file is missing or against its schema, or they do not belong together (`check_identity`).
    """
    kinds = tasks.of(study).files
    parts = {name: schemas.read(where[name], kinds[name]) for name in ("data_statistics.json", *RESULTS)}
    run = Run(
        study=study,
        seed=seed,
        paths=dict(where),
        data=parts["data_statistics.json"],
        training={arm: parts[f"{arm}_training.json"] for arm in ARMS},
        evaluation=parts["evaluation_results.json"],
        uat=parts["uat_results.json"],
        hotflip=parts["hotflip_results.json"],
    )
    check_identity(run)
    return run


def check_identity(run: Run) -> None:
    """Stop where files of different runs, studies, scales, data or checkpoints lie in one folder.

    Raises:
        BadInput: names the file that does not belong, and why.
    """
    mend = "it belongs to another run: run `dvc repro`"
    if run.data.study != run.study:
        raise BadInput(f"{run.paths['data_statistics.json']}: study is {run.data.study}, not {run.study}: {mend}")
    for name, part in run.results.items():
        wanted = {
            "study": run.study,
            "seed": run.seed,
            "scale": run.data.scale,
            "data_digest": run.data.data_digest,
        }
        for key, value in wanted.items():
            if getattr(part, key) != value:
                raise BadInput(f"{run.paths[name]}: {key} is {getattr(part, key)}, not {value}: {mend}")
    for arm, part in run.training.items():
        path = run.paths[f"{arm}_training.json"]
        if part.arm != arm:
            raise BadInput(f"{path}: arm is {part.arm}, not {arm}: {mend}")
        if (part.constraint is None) != (arm == "baseline"):
            raise BadInput(
                f"{path}: constraint: the monotonic arm has one and the baseline none: run stage train again"
            )
        if part.model.architecture != run.task.architecture:
            raise BadInput(
                f"{path}: model.architecture is {part.model.architecture}, not {run.task.architecture}: {mend}"
            )
        if part.model != run.training["baseline"].model:
            raise BadInput(f"{path}: model: not the baseline's: {mend}")
        found = part.constraint
        if found is not None and not math.isclose(found.share * part.model.parameters, found.parameters):
            raise BadInput(
                f"{path}: constraint.share is {found.share!r}, but {found.parameters} of {part.model.parameters} "
                "parameters are constrained: run stage train again"
            )
    wanted = {arm: part.checkpoint for arm, part in run.training.items()}
    wanted["standard"] = run.training["baseline"].initial_checkpoint
    if run.training["monotonic"].initial_checkpoint != wanted["standard"]:
        raise BadInput(f"{run.paths['monotonic_training.json']}: initial_checkpoint is not the baseline's: {mend}")
    if len(set(wanted.values())) < len(wanted):
        raise BadInput(f"{run.paths['baseline_training.json']}: two of the three models have the same weights: {mend}")
    for name, part in run.results.items():
        if isinstance(part, schemas.Training):
            continue
        for model, digest in wanted.items():
            if part.checkpoints.get(model) != digest:
                raise BadInput(
                    f"{run.paths[name]}: checkpoints.{model} is {str(part.checkpoints.get(model))[:12]}, but stage "
                    f"{'train wrote' if model in ARMS else 'standard handed on'} {digest[:12]}: run `dvc repro`"
                )
    if run.uat.attack_seed != run.hotflip.attack_seed:
        raise BadInput(f"{run.paths['uat_results.json']}: attack_seed is not that of hotflip_results.json: {mend}")


def check_examples(run: Run) -> None:
    """Recompute the results' means from the per-example files.

    Raises:
        BadInput: a mean differs, or examples are missing, doubled or not the same for all models.
    """
    rows = {name: examples.read(run.paths[name], columns) for name, columns in run.task.columns.items()}
    examples.check_evaluation(run.evaluation, rows["evaluation_examples.csv"], rows["reference_points.csv"], run.paths)
    examples.check_attack("uat", run.uat, rows["uat_examples.csv"], run.paths)
    examples.check_attack("hotflip", run.hotflip, rows["hotflip_examples.csv"], run.paths)


def of_set(part: schemas.TestSet | schemas.TestSetText) -> dict[str, dict[str, float]]:
    """One test set's metrics, each with its value for every model."""
    found: dict[str, dict[str, float]] = {}
    for model, quality in part.models.items():
        if isinstance(quality, schemas.Quality):
            own = {name: getattr(quality.rouge, name).mean for name in schemas.ROUGE}
        else:
            own = {"perplexity": quality.perplexity.mean}
        for name, value in {**own, "nll_per_token": quality.nll_per_token}.items():
            found.setdefault(f"evaluate.{name}", {})[model] = value
    return _with_ratio(found)


def _with_ratio(found: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """With each perplexity over the baseline's of the same run, where there are perplexities."""
    perplexities = found.get("evaluate.perplexity")
    if perplexities is not None:
        own = perplexities["baseline"]
        found["evaluate.perplexity_ratio"] = {model: value / own for model, value in perplexities.items()}
    return found


def _pooled(run: Run) -> dict[str, dict[str, float]]:
    """The metrics over all test sets: scores by examples, losses by tokens, perplexity from the loss."""
    parts: Sequence[Any] = [part for _, part in sorted(run.evaluation.datasets.items())]
    n = sum(part.n for part in parts)
    found: dict[str, dict[str, float]] = {}
    for model in parts[0].models:
        own = [part.models[model] for part in parts]
        tokens = sum(quality.target_tokens for quality in own)
        nll = sum(quality.nll_per_token * quality.target_tokens for quality in own) / tokens
        if isinstance(own[0], schemas.Quality):
            values = {
                name: sum(getattr(part.models[model].rouge, name).mean * part.n for part in parts) / n
                for name in schemas.ROUGE
            }
        else:
            values = {"perplexity": examples.perplexity(nll, run.paths["evaluation_results.json"])}
        for name, value in {**values, "nll_per_token": nll}.items():
            found.setdefault(f"evaluate.{name}", {})[model] = value
    return _with_ratio(found)


def _kept(run: Run, arm: str) -> float:
    loss = run.training[arm].best.train_nll_per_token
    if loss is None:
        raise BadInput(f"{run.paths[f'{arm}_training.json']}: best.train_nll_per_token: null: no epoch was trained")
    return loss


def _under(results: schemas.Attack, success: str, model: str) -> dict[str, float]:
    """One model's metrics under one attack; `success` names the declared thresholds that count."""
    part = results.models[model]
    clean, damage = part.conditions["clean"], part.damage["attack"]
    values = {
        "clean_nll_per_token": clean.nll_per_token,
        "delta_nll_per_token": damage.delta_nll_per_token,
        "relative_nll": damage.relative_nll,
    }
    if isinstance(damage, schemas.Damage):
        values |= {"clean_rougeL": clean.rougeL, "delta_rougeL": damage.delta_rougeL}
    for prefix, found in (("", damage), *((f"{name}_", part.damage[name]) for name in ("random", "random_search"))):
        values[f"{prefix}success"] = getattr(found, success)[0].rate
        if prefix:
            values[f"{prefix}delta_nll_per_token"] = found.delta_nll_per_token
        if prefix and isinstance(found, schemas.Damage):
            values[f"{prefix}delta_rougeL"] = found.delta_rougeL
    return values


def metrics(run: Run) -> dict[str, dict[str, float]]:
    """The run's flat metrics, each with its value for every model that has it (names: `metrics.of`)."""
    found: dict[str, dict[str, float]] = {
        "train.initial_validation_nll_per_token": {
            arm: part.initial.validation_nll_per_token for arm, part in run.training.items()
        },
        "train.validation_nll_per_token": {
            arm: part.best.validation_nll_per_token for arm, part in run.training.items()
        },
    }
    found["train.training_nll_per_token"] = {arm: _kept(run, arm) for arm in run.training}
    found |= _pooled(run)
    for attack, results in (("hotflip", run.hotflip), ("uat", run.uat)):
        for model in run.checkpoints:
            for name, value in _under(results, run.task.success, model).items():
                found.setdefault(f"{attack}.{name}", {})[model] = value
    return found


def final(run: Run) -> dict[str, Any]:
    """The content of final_results.json: the run on one page."""
    return {
        "schema_version": 1,
        "study": run.study,
        "scale": run.data.scale,
        "seed": run.seed,
        "data_digest": run.data.data_digest,
        "stage": "collect",
        "attack_seed": run.hotflip.attack_seed,
        "checkpoints": run.checkpoints,
        "metrics": metrics(run),
    }


def curves(run: Run, of_arm: Mapping[str, Path]) -> list[dict[str, str]]:
    """The rows of training_curves.csv from each arm's curves.csv.

    Raises:
        BadInput: a validation loss of the training file is not in the curve, so the two are not of one run.
    """
    rows: list[dict[str, str]] = []
    for arm, path in of_arm.items():
        found = examples.read(path, examples.CURVES)
        losses = {
            (int(examples.number(row, "step", path)), examples.number(row, "nll_per_token", path))
            for row in found
            if row["split"] == "validation"
        }
        for epoch in (run.training[arm].initial, *run.training[arm].epochs):
            if (epoch.step, epoch.validation_nll_per_token) not in losses:
                raise BadInput(
                    f"{path}: no validation loss {epoch.validation_nll_per_token!r} at step {epoch.step}, which "
                    f"{run.paths[f'{arm}_training.json']} has: run `dvc repro`"
                )
        rows += [{"arm": arm, **row} for row in found]
    return rows


def read_records(study: str, seed: int, root: Path = Path()) -> dict[str, Any]:
    """Each stage's record, typed, by its name; the raw content is `files.read_json` of the same path.

    Raises:
        BadInput: missing, against the schema, of another run, or an output is no longer what the stage wrote.
    """
    found = {}
    for name in metadata.RECORDS:
        where = folder(name, study, seed) / "record.json"
        record = schemas.read(root / where, metadata.Record)
        wanted: dict[str, Any] = {"study": study}
        if name not in metadata.SHARED:
            wanted["seed"] = seed
        stage, _, arm = name.partition(".")
        if arm:
            wanted["arm"] = arm
        if record.stage != stage:
            raise BadInput(f"{where}: stage is {record.stage}, not {stage}: run `dvc repro`")
        for key, value in wanted.items():
            if record.identity.get(key) != value:
                raise BadInput(f"{where}: {key} is {record.identity.get(key)}, not {value}: run `dvc repro`")
        found[name] = record
    for name, where in sources(study, seed).items():
        recorded = found[COPIED[name]].outputs.get(where.as_posix())
        if recorded is None:
            raise BadInput(f"{where}: stage {COPIED[name]} did not record that it wrote this: run `dvc repro`")
        if not (root / where).is_file():
            raise BadInput(f"{where}: missing, stage {COPIED[name]} wrote it: run `dvc repro`")
        if files.md5(root / where) != recorded:
            raise BadInput(f"{where}: edited after stage {COPIED[name]} wrote it: run `dvc repro`")
    return found


def hyperparameters(records: Mapping[str, Any], study: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """The study's section of the scale file, once every stage has said that it ran with the same values.

    Raises:
        BadInput: a stage ran with other values; names the key.
    """
    for name, record in records.items():
        for file, keys in record.params.items():
            for key, value in keys.items():
                node: Any = section
                for step in key.removeprefix(f"{study}.").split("."):
                    node = node.get(step) if isinstance(node, Mapping) else None
                if node != value:
                    raise BadInput(f"{file}: {key}: stage {name} ran with another value: run `dvc repro`")
    return dict(section)
