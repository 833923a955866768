"""The per-example records of all seeds side by side: the same examples, at each seed, under both arms.

What is not there for every seed, arm and condition is an error that names file and example; nothing is left out
quietly, for a difference over the examples that happen to be left is another difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mono_s2s.evidence import collection, examples, tasks
from mono_s2s.evidence.examples import Row
from mono_s2s.files import BadInput
from mono_s2s.scale import ARMS
from mono_s2s.statistics import Contrast, Paired, Sums

# Whose per-example file a metric's values stand in, by the metric's stage. Training leaves no losses of examples.
SOURCES = {
    "evaluate": "evaluation_examples.csv",
    "hotflip": "hotflip_examples.csv",
    "uat": "uat_examples.csv",
}
_CONTRASTS: Mapping[str, Contrast] = {
    "evaluate.perplexity": "difference of exponentials",
    "evaluate.perplexity_ratio": "ratio of exponentials, minus 1",
}
# Of an attack's metrics, by how their names begin; those of the attack itself have no such beginning.
_CONTROLS = ("random_search", "random")

# Test set, which attacks have none of, and example.
Name = tuple[str, str]


@dataclass(frozen=True)
class Examples:
    """One per-example file of every seed."""

    # By seed.
    paths: Mapping[int, Path]
    # In the first seed's order.
    names: tuple[Name, ...]
    # Number of the test set of each example, shape (examples,).
    strata: np.ndarray
    # Scored tokens of each, the same at every seed, arm and condition.
    tokens: np.ndarray
    # By arm, condition (`clean` where nothing was attacked) and column: shape (seeds, examples).
    values: Mapping[tuple[str, str], Mapping[str, np.ndarray]]


def _called(name: Name) -> str:
    return f"example {name[1]}" + (f" of {name[0]}" if name[0] else "")


def _groups(path: Path, columns: tuple[str, ...]) -> dict[tuple[str, str], dict[Name, Row]]:
    """The rows of both arms by arm, condition and example."""
    found: dict[tuple[str, str], dict[Name, Row]] = {}
    for row in examples.read(path, columns):
        condition = row.get("condition", "clean")
        if row["model"] not in ARMS or condition == "transfer":
            continue
        name = (row.get("dataset", ""), row["example_id"])
        own = found.setdefault((row["model"], condition), {})
        if name in own:
            raise BadInput(f"{path}: {_called(name)} is there twice for {row['model']}, {condition}: run `dvc repro`")
        own[name] = row
    return found


def gather(source: str, study: str, paths: Mapping[int, Path]) -> Examples:
    """Pair one per-example file over seeds, arms and conditions by example id.

    Args:
        source: its tracked name.
        study: whose runs these are.
        paths: by seed, the first of which says which examples there are.

    Raises:
        BadInput: a file is missing or cut off, an example is missing, doubled, of other tokens or not a number in one
            of them; names file and example.
    """
    task = tasks.of(study)
    measured = ("nll_nats", *task.measures)
    names: dict[Name, float] = {}
    origin = ""
    rows: dict[tuple[str, str], list[list[list[float]]]] = {}
    keys: set[tuple[str, str]] = set()
    for path in paths.values():
        groups = _groups(path, task.columns[source])
        keys = keys or set(groups)
        for key in sorted(keys | set(groups)):
            own, who = groups.get(key, {}), f"{path}: {key[0]}, {key[1]}"
            if not names:
                names = {name: examples.number(row, "target_tokens", path) for name, row in own.items()}
                origin = who
            for name in names:
                if name not in own:
                    raise BadInput(f"{who}: {_called(name)} is missing, {origin} has it: run `dvc repro`")
            for name, row in own.items():
                if name not in names:
                    raise BadInput(f"{who}: {_called(name)} is not in {origin}: run `dvc repro`")
                if examples.number(row, "target_tokens", path) != names[name]:
                    raise BadInput(
                        f"{who}: {_called(name)} has {row['target_tokens']} target tokens, {names[name]:g} in "
                        f"{origin}: run `dvc repro`"
                    )
            rows.setdefault(key, []).append(
                [[examples.number(own[name], column, path) for column in measured] for name in names]
            )
    tokens = np.array(list(names.values()))
    if not (tokens > 0).all():
        name = list(names)[int(np.argmin(tokens))]
        raise BadInput(f"{origin}: {_called(name)} has {names[name]:g} target tokens: run `dvc repro`")
    values = {key: np.array(found) for key, found in rows.items()}
    sets = sorted({name[0] for name in names})
    return Examples(
        paths=dict(paths),
        names=tuple(names),
        strata=np.array([sets.index(name[0]) for name in names]),
        tokens=tokens,
        values={key: {column: found[..., i] for i, column in enumerate(measured)} for key, found in values.items()},
    )


def source_of(metric: str) -> str | None:
    """The per-example file that a metric follows from; None for what training leaves."""
    return SOURCES.get(metric.partition(".")[0])


def pairs(metric: str, study: str, found: Examples, threshold: float | None) -> Paired:
    """A metric as sums over examples, monotonic (treatment) and baseline (control).

    Args:
        metric: its name, of a stage that `SOURCES` has.
        study: whose metric it is.
        found: the file that it follows from.
        threshold: at which an attack's success counts; None where nothing was attacked.
    """
    treatment, control = (_sums(metric, study, found, arm, threshold) for arm in ("monotonic", "baseline"))
    return Paired(treatment, control, _CONTRASTS.get(metric, "difference"), found.strata)


def _sums(metric: str, study: str, found: Examples, arm: str, threshold: float | None) -> Sums:
    stage, _, name = metric.partition(".")
    clean = found.values[arm, "clean"]
    tokens, ones = np.broadcast_to(found.tokens, clean["nll_nats"].shape), np.ones_like(clean["nll_nats"])
    if stage == "evaluate":
        return Sums(clean[name], ones) if name in clean else Sums(clean["nll_nats"], tokens)
    condition = next((control for control in _CONTROLS if name.startswith(f"{control}_")), "attack")
    attacked = found.values[arm, condition]
    rise = attacked["nll_nats"] - clean["nll_nats"]
    measure = name.removeprefix(f"{condition}_")
    if measure == "success":
        return Sums(_hits(study, clean, attacked, rise / tokens, threshold), ones)
    return {
        "clean_nll_per_token": lambda: Sums(clean["nll_nats"], tokens),
        "delta_nll_per_token": lambda: Sums(rise, tokens),
        "relative_nll": lambda: Sums(rise, clean["nll_nats"]),
        "clean_rougeL": lambda: Sums(clean["rougeL"], ones),
        "delta_rougeL": lambda: Sums(clean["rougeL"] - attacked["rougeL"], ones),
    }[measure]()


def _hits(
    study: str,
    clean: Mapping[str, np.ndarray],
    attacked: Mapping[str, np.ndarray],
    rise: np.ndarray,
    threshold: float | None,
) -> np.ndarray:
    """1 where the attack succeeded by the study's measure, in the attacks' own arithmetic."""
    drop = clean["rougeL"] - attacked["rougeL"] if tasks.of(study).success == "success_rougeL_drop" else rise
    return (drop >= threshold).astype(float)


def threshold_of(metric: str, run: collection.Run) -> float | None:
    """The first declared threshold of an attack's success, as the run's result file has it; None for no attack."""
    attack = {"hotflip": run.hotflip, "uat": run.uat}.get(metric.partition(".")[0])
    if attack is None:
        return None
    return getattr(attack.models["baseline"].damage["attack"], run.task.success)[0].threshold
