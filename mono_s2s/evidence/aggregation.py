"""Runs added up: all_seeds_summary.json, typed, and how it comes about; `comparisons` makes statistical_tests.json.

The unit is the training run. Spreads are standard deviations over seeds with n - 1; intervals are Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mono_s2s import files, paths, statistics
from mono_s2s.evidence import collection, comparisons, metrics, schemas
from mono_s2s.evidence.choices import ChoiceTask
from mono_s2s.evidence.schemas import Model, Part
from mono_s2s.files import BadInput
from mono_s2s.params import Params

SUMMARY = "all_seeds_summary.json"
TESTS = "statistical_tests.json"


class Spread(Part):
    """One number a seed, and what they add up to; null where one seed cannot tell."""

    values: dict[str, float]
    n: int
    mean: float
    # With n - 1 in the denominator.
    sd: float | None
    # Student's t interval of the mean.
    lower: float | None
    upper: float | None


class MetricSummary(Part):
    """One metric over the seeds."""

    words: str
    unit: str
    better: Literal["higher", "lower"]
    models: dict[Model, Spread]
    # Monotonic minus baseline, seed by seed.
    difference: Spread


class SetSummary(Part):
    """One test set over the seeds."""

    n: int
    metrics: dict[str, MetricSummary]
    # Mean over seeds and examples; they depend on no trained model.
    reference_points: dict[str, dict[str, float]]


class BudgetSummary(Part):
    """What the arms were allowed, and in what they differ; equal budgets have no differences."""

    equal: bool
    differing: list[str]
    arms: dict[str, dict[str, Any]]


class Summary(Part):
    """all_seeds_summary.json."""

    schema_version: Literal[2]
    study: str
    scale: str
    data_digest: schemas.Sha256
    source: str
    seeds: list[int]
    confidence: float
    # Of all three models of every seed.
    model: schemas.ModelFacts
    metrics: dict[str, MetricSummary]
    datasets: dict[str, SetSummary]
    # Over all test sets' examples.
    reference_points: dict[str, dict[str, float]]
    budget: BudgetSummary
    constraint: dict[str, Any]
    attacks: dict[str, dict[str, Any]]


# What `contents` holds, by file name.
KINDS: dict[str, type[Part]] = {SUMMARY: Summary, TESTS: comparisons.Tests}

Values = Mapping[int, float]


def spread(values: Values, confidence: float) -> dict[str, Any]:
    """The content of a `Spread` from one number a seed."""
    found = list(values.values())
    lower, upper = statistics.t_interval(found, confidence) or (None, None)
    return {
        "values": {str(seed): value for seed, value in values.items()},
        "n": len(found),
        "mean": statistics.mean(found),
        "sd": statistics.sd(found),
        "lower": lower,
        "upper": upper,
    }


def _metric(metric: metrics.Metric, by_model: Mapping[str, Values], confidence: float) -> dict[str, Any]:
    difference = statistics.paired_differences(by_model["monotonic"], by_model["baseline"], ("monotonic", "baseline"))
    return {
        "words": metric.words,
        "unit": metric.unit,
        "better": metric.better,
        "models": {model: spread(by_model[model], confidence) for model in metric.models},
        "difference": spread(difference, confidence),
    }


def by_metric(finals: Mapping[int, schemas.Final]) -> dict[str, dict[str, dict[int, float]]]:
    """Metric -> model -> seed -> value.

    Raises:
        BadInput: a run lacks a metric, or one of its models.
    """
    found: dict[str, dict[str, dict[int, float]]] = {}
    study = next(iter(finals.values())).study
    for name, metric in metrics.of(study).items():
        for model in metric.models:
            for seed, final in finals.items():
                value = final.metrics.get(name, {}).get(model)
                if value is None:
                    raise BadInput(
                        f"{paths.results(final.study, seed)}/final_results.json: metrics.{name}.{model}: missing: "
                        "run `dvc repro`"
                    )
                found.setdefault(name, {}).setdefault(model, {})[seed] = value
    return found


def _sets(study: str, runs: Mapping[int, schemas.Evaluated], confidence: float) -> dict[str, Any]:
    first = next(iter(runs.values()))
    found = {}
    for name, part in sorted(first.datasets.items()):
        of_seed = {seed: collection.of_set(run.datasets[name]) for seed, run in runs.items()}
        by_metric: dict[str, Any] = {}
        for metric in next(iter(of_seed.values())):
            values = {model: {seed: own[metric][model] for seed, own in of_seed.items()} for model in part.models}
            by_metric[metric] = _metric(metrics.of(study)[metric], values, confidence)
        found[name] = {
            "n": part.n,
            "metrics": by_metric,
            "reference_points": {
                point: _point([run.datasets[name].reference_points[point] for run in runs.values()])
                for point in sorted(part.reference_points)
            },
        }
    return found


def _point(parts: Sequence[schemas.Rouge | schemas.Perplexity]) -> dict[str, float]:
    """Means over runs of each score of a reference point."""
    return {name: statistics.mean([getattr(part, name).mean for part in parts]) for name in type(parts[0]).model_fields}


def _pooled_points(sets: Mapping[str, Any], weights: Mapping[str, int]) -> dict[str, Any]:
    """Reference points over all test sets: scores weighted by examples, the logarithm of a perplexity by tokens."""
    total = sum(weights.values())
    points = next(iter(sets.values()))["reference_points"]

    def pooled(point: str, name: str) -> float:
        own = {key: part["reference_points"][point][name] for key, part in sets.items()}
        if name == "perplexity":
            return math.exp(sum(math.log(value) * weights[key] for key, value in own.items()) / total)
        return sum(value * weights[key] for key, value in own.items()) / total

    return {point: {name: pooled(point, name) for name in names} for point, names in points.items()}


def _choice_tasks(run: schemas.Evaluated) -> Mapping[str, ChoiceTask]:
    choices = getattr(run, "multiple_choice", None)
    return {} if choices is None else choices.tasks


def _same_sets(study: str, runs: Mapping[int, schemas.Evaluated]) -> None:
    seeds = list(runs)
    shapes = {
        seed: {
            name: (part.n, sorted(part.models), sorted(part.reference_points)) for name, part in run.datasets.items()
        }
        | {name: (task.n, task.questions) for name, task in _choice_tasks(run).items()}
        for seed, run in runs.items()
    }
    for seed in seeds[1:]:
        if shapes[seed] != shapes[seeds[0]]:
            raise BadInput(
                f"{paths.results(study, seed)}/evaluation_results.json: test sets, questions, models or sizes differ "
                f"from those of seed {seeds[0]}: run `dvc repro`"
            )


def _same_models(runs: Mapping[int, collection.Run]) -> tuple[schemas.ModelFacts, dict[str, Any]]:
    """What the models are and what of them was constrained, which must be the same in every run."""
    found = {}
    for seed, run in runs.items():
        constraint = run.training["monotonic"].constraint
        facts = constraint.model_dump() if constraint else {}
        # Of one run only: what the matrices ended at.
        facts.pop("minimum_weight", None)
        found[seed] = (run.training["baseline"].model, facts)
    first = next(iter(found))
    for seed, facts in found.items():
        if facts != found[first]:
            raise BadInput(
                f"{paths.results(runs[seed].study, seed)}/monotonic_training.json: model or constraint differs from "
                f"that of seed {first}: run `dvc repro`"
            )
    return found[first]


# What a run used follows from the data; what it was allowed is what must be equal.
_USED = {"examples", "input_tokens", "target_tokens"}


def budget(training: Mapping[int, Mapping[str, schemas.Training]]) -> dict[str, Any]:
    """What the arms were allowed over all seeds, and every key in which they differ."""
    arms = {arm: [run[arm].budget.model_dump() for run in training.values()] for arm in ("baseline", "monotonic")}
    differing = [
        key
        for key in arms["baseline"][0]
        if any(one[key] != other[key] for one, other in zip(arms["baseline"], arms["monotonic"], strict=True))
    ]
    shown = {arm: {key: value for key, value in found[0].items() if key not in _USED} for arm, found in arms.items()}
    return {"equal": not differing, "differing": differing, "arms": shown}


def summarize(runs: Mapping[int, collection.Run], finals: Mapping[int, schemas.Final], confidence: float) -> dict:
    """The content of all_seeds_summary.json, from the runs by seed in the paper's order.

    Raises:
        BadInput: a metric is missing, or the runs' test sets, models or constraints differ.
    """
    first = next(iter(runs.values()))
    evaluations = {seed: run.evaluation for seed, run in runs.items()}
    _same_sets(first.study, evaluations)
    model, constraint = _same_models(runs)
    success = first.task.success
    sets = _sets(first.study, evaluations, confidence)
    weights = {
        name: part.models["standard"].target_tokens if isinstance(part, schemas.TestSetText) else part.n
        for name, part in first.evaluation.datasets.items()
    }
    return {
        "schema_version": 2,
        "study": first.study,
        "scale": first.data.scale,
        "data_digest": first.data.data_digest,
        "source": first.data.source,
        "seeds": list(runs),
        "confidence": confidence,
        "model": model.model_dump(),
        "metrics": {
            name: _metric(metrics.of(first.study)[name], values, confidence)
            for name, values in by_metric(finals).items()
        },
        "datasets": sets,
        "reference_points": _pooled_points(sets, weights),
        "budget": budget({seed: run.training for seed, run in runs.items()}),
        "constraint": constraint,
        "attacks": {
            name: {
                "n": part.n,
                # The threshold of the metric `success`.
                success: getattr(part.models["baseline"].damage["attack"], success)[0].threshold,
                **part.attack,
            }
            for name, part in (("hotflip", first.hotflip), ("uat", first.uat))
        },
    }


def contents(study: str, params: Params, root: Path = Path()) -> dict[str, dict[str, Any]]:
    """The content of both files by name, computed from what is filed of the paper's seeds; nothing is written.

    Raises:
        BadInput: a run, a metric or an example is missing, or a family names an unknown metric.
    """
    runs, finals = {}, {}
    for seed in params.seeds:
        folder = root / paths.results(study, seed)
        runs[seed] = collection.read(study, seed, {name: folder / name for name in collection.COPIED})
        finals[seed] = schemas.read(folder / "final_results.json", schemas.Final)
    target = root / paths.aggregated(study)
    found = {
        SUMMARY: summarize(runs, finals, params.statistics.confidence),
        TESTS: comparisons.compare(runs, finals, by_metric(finals), params),
    }
    for name, kind in KINDS.items():
        schemas.validate(found[name], kind, target / name)
    return found


def aggregate(study: str, params: Params, root: Path = Path()) -> None:
    """Add up the paper's seeds of one study and write both files.

    Raises:
        BadInput: as `contents`; nothing is written then.
    """
    for name, content in contents(study, params, root).items():
        files.write_json(root / paths.aggregated(study) / name, content)
