"""The per-example records, typed, and the means of a result file recomputed from them.

A mean that cannot be had again from its examples is not a result. Token-weighted losses are sums of nats over sums of
target tokens; a perplexity is exp of that; ROUGE means are over examples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mono_s2s import files
from mono_s2s.evidence import schemas, tasks
from mono_s2s.files import BadInput

CURVES = ("step", "epoch", "split", "nll_per_token")
# Two programs that add the same numbers up in another order agree to far better than this.
TOLERANCE = 1e-9

Row = dict[str, str]


def read(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a per-example file.

    Raises:
        BadInput: missing, cut off, without rows, or with other columns.
    """
    text = files.read_csv(path)
    if not text:
        raise BadInput(f"{path}: no rows: run `dvc repro`")
    if set(text[0]) != set(columns):
        raise BadInput(f"{path}: columns are {', '.join(text[0])}, not {', '.join(columns)}")
    return text


def number(row: Row, column: str, path: Path) -> float:
    """A cell as a finite number.

    Raises:
        BadInput: it is not one; names file, column and example.
    """
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"{path}: {column} of example {row.get('example_id', '?')} is {row[column]!r}, not a number")
    return value


@dataclass(frozen=True)
class Loss:
    """One example's loss under one condition, and its ROUGE-L where it has one."""

    nats: float
    tokens: float
    rougeL: float | None  # noqa: N815 - the field's name for it


@dataclass(frozen=True)
class Means:
    """What a group of examples adds up to."""

    n: int
    # Means over examples of the task's scores.
    scores: dict[str, float]
    nll_per_token: float
    target_tokens: int
    # By example id.
    each: dict[str, Loss]


def means(rows: Sequence[Row], path: Path, what: str) -> Means:
    """Means of the scores that `rows` have, and their token-weighted loss.

    Raises:
        BadInput: there are none, an example is there twice, a cell is not a number, or an example has no target tokens.
    """
    if not rows:
        raise BadInput(f"{path}: no examples of {what}: run the stage that wrote it again")
    identifiers = {row["example_id"] for row in rows}
    if len(identifiers) != len(rows):
        raise BadInput(f"{path}: an example of {what} is there twice")
    each = {row["example_id"]: _loss(row, path) for row in rows}
    tokens = math.fsum(loss.tokens for loss in each.values())
    return Means(
        n=len(rows),
        scores=score_means(rows, path),
        nll_per_token=math.fsum(loss.nats for loss in each.values()) / tokens,
        target_tokens=int(tokens),
        each=each,
    )


def _loss(row: Row, path: Path) -> Loss:
    tokens = number(row, "target_tokens", path)
    if tokens <= 0:
        raise BadInput(f"{path}: example {row['example_id']} has {row['target_tokens']} target tokens: run `dvc repro`")
    return Loss(number(row, "nll_nats", path), tokens, number(row, "rougeL", path) if "rougeL" in row else None)


def score_means(rows: Sequence[Row], path: Path) -> dict[str, float]:
    """Mean over `rows` of each ROUGE measure that they have."""
    return {
        name: math.fsum(number(row, name, path) for row in rows) / len(rows)
        for name in schemas.ROUGE
        if name in rows[0]
    }


def _by(rows: Sequence[Row], columns: Sequence[str]) -> dict[tuple[str, ...], list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return groups


# One number that a result file states, and what its examples say: key's path, stated, recomputed.
Pair = tuple[str, float, float]


def compare(path: Path, source: Path, pairs: Iterator[Pair]) -> None:
    """Hold what a result file states against what its examples give.

    Args:
        path: the result file.
        source: where its examples stand.
        pairs: each number that it states.

    Raises:
        BadInput: names the first number that differs, and says how many more do.
    """
    differing = [
        (key, stated, recomputed)
        for key, stated, recomputed in pairs
        if not math.isclose(stated, recomputed, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    ]
    if differing:
        key, stated, recomputed = differing[0]
        more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
        raise BadInput(
            f"{path}: {key} is {stated!r}, but the examples of {source.name} give {recomputed!r}: "
            f"one of the two was edited or cut off; run `dvc repro`{more}"
        )


def _same_groups(path: Path, found: Mapping[tuple[str, ...], object], wanted: set[tuple[str, ...]]) -> None:
    extra, lacking = sorted(set(found) - wanted), sorted(wanted - set(found))
    if lacking:
        raise BadInput(f"{path}: no examples of {' '.join(lacking[0])}: run the stage that wrote it again")
    if extra:
        raise BadInput(f"{path}: examples of {' '.join(extra[0])}, which the result file does not have")


def check_evaluation(
    results: schemas.Evaluated, rows: Sequence[Row], points: Sequence[Row], paths: Mapping[str, Path]
) -> None:
    """Recompute evaluation_results.json from evaluation_examples.csv and reference_points.csv.

    Args:
        results: the typed result file, of either task.
        rows: of evaluation_examples.csv.
        points: of reference_points.csv.
        paths: each file's path by its tracked name, for errors.

    Raises:
        BadInput: a mean differs, a group of examples is missing, or the models were not given the same examples.
    """
    path, source = paths["evaluation_results.json"], paths["evaluation_examples.csv"]
    groups = _by(rows, ("dataset", "model"))
    _same_groups(source, groups, {(name, model) for name, part in results.datasets.items() for model in part.models})

    def pairs() -> Iterator[Pair]:
        for (dataset, model), group in groups.items():
            part = results.datasets[dataset]
            quality, found = part.models[model], means(group, source, f"{dataset} {model}")
            key = f"datasets.{dataset}.models.{model}"
            yield f"datasets.{dataset}.n", part.n, found.n
            yield f"{key}.nll_per_token", quality.nll_per_token, found.nll_per_token
            yield f"{key}.target_tokens", quality.target_tokens, found.target_tokens
            if isinstance(quality, schemas.Perplexity):
                yield f"{key}.perplexity.mean", quality.perplexity.mean, perplexity(found.nll_per_token, source)
                continue
            for name, value in found.scores.items():
                yield f"{key}.rouge.{name}.mean", getattr(quality.rouge, name).mean, value
            for column, lengths in (
                ("prediction", quality.prediction_lengths),
                ("reference", quality.reference_lengths),
            ):
                total = math.fsum(number(row, f"{column}_tokens", source) for row in group)
                yield f"{key}.{column}_lengths.total", lengths.total, total

    compare(path, source, pairs())
    for dataset in results.datasets:
        _same_examples(source, {model: group for (name, model), group in groups.items() if name == dataset}, dataset)
    _check_points(results, points, groups, paths)
    if isinstance(results, schemas.EvaluationText) and results.multiple_choice is not None:
        compare(path, path, _choices(results.multiple_choice))


def perplexity(nll_per_token: float, source: Path) -> float:
    """exp of a loss in nats per token; `source` is where the loss comes from.

    Raises:
        BadInput: the loss is so large that there is no such number.
    """
    try:
        return math.exp(nll_per_token)
    except OverflowError as error:
        raise BadInput(f"{source}: {nll_per_token!r} nats per token have no perplexity: run `dvc repro`") from error


def _choices(found: schemas.MultipleChoice) -> Iterator[Pair]:
    """What must follow from the outcomes of each example, one character each."""
    for name, task in found.tasks.items():
        for model, part in task.models.items():
            key = f"multiple_choice.tasks.{name}"
            yield f"{key}.n", task.n, len(part.outcomes)
            yield f"{key}.models.{model}.accuracy", part.accuracy, part.outcomes.count("1") / len(part.outcomes)


def _check_points(
    results: schemas.Evaluated, points: Sequence[Row], groups: Mapping, paths: Mapping[str, Path]
) -> None:
    source = paths["reference_points.csv"]
    found = _by(points, ("dataset", "point"))
    _same_groups(
        source, found, {(name, point) for name, part in results.datasets.items() for point in part.reference_points}
    )

    def pairs() -> Iterator[Pair]:
        for (dataset, point), group in found.items():
            part, key = results.datasets[dataset], f"datasets.{dataset}.reference_points.{point}"
            yield f"datasets.{dataset}.n", part.n, len(group)
            stated = part.reference_points[point]
            if isinstance(stated, schemas.Perplexity):
                own = means(group, source, f"{dataset} {point}")
                yield f"{key}.perplexity.mean", stated.perplexity.mean, perplexity(own.nll_per_token, source)
                continue
            for name, value in score_means(group, source).items():
                yield f"{key}.{name}.mean", getattr(stated, name).mean, value

    compare(paths["evaluation_results.json"], source, pairs())
    if isinstance(results, schemas.EvaluationText):
        for (dataset, point), group in found.items():
            _same_examples(source, {"standard": groups[dataset, "standard"], point: group}, dataset)


def _same_examples(source: Path, groups: Mapping[str, Sequence[Row]], what: str) -> None:
    """The same examples in the same order in each group, and the same tokens of them scored."""
    orders = {name: [row["example_id"] for row in group] for name, group in groups.items()}
    scored = {name: [number(row, "target_tokens", source) for row in group] for name, group in groups.items()}
    first = next(iter(orders))
    for name in orders:
        if orders[name] != orders[first]:
            raise BadInput(f"{source}: {name} and {first} were not given the same examples of {what}")
        if scored[name] != scored[first]:
            raise BadInput(f"{source}: {name} and {first} were not scored on as many tokens of each example of {what}")


def check_attack(name: str, results: schemas.Attack, rows: Sequence[Row], paths: Mapping[str, Path]) -> None:
    """Recompute uat_results.json or hotflip_results.json from its examples.

    Args:
        name: uat or hotflip.
        results: the typed result file, of either task.
        rows: of <name>_examples.csv.
        paths: each file's path by its tracked name, for errors.

    Raises:
        BadInput: a mean or a damage differs, a group of examples is missing, or groups hold different examples.
    """
    path, source = paths[f"{name}_results.json"], paths[f"{name}_examples.csv"]
    plain = _by([row for row in rows if row["condition"] != "transfer"], ("model", "condition"))
    _same_groups(source, plain, {(model, kind) for model, part in results.models.items() for kind in part.conditions})
    found = {key: means(group, source, " ".join(key)) for key, group in plain.items()}

    def pairs() -> Iterator[Pair]:
        for (model, condition), group in found.items():
            stated, key = results.models[model].conditions[condition], f"models.{model}.conditions.{condition}"
            yield "n", results.n, group.n
            yield f"{key}.nll_per_token", stated.nll_per_token, group.nll_per_token
            yield f"{key}.target_tokens", stated.target_tokens, group.target_tokens
            for measure in tasks.of(results.study).measures:
                yield f"{key}.{measure}", getattr(stated, measure), group.scores[measure]
        for model, part in results.models.items():
            for condition, damage in part.damage.items():
                key = f"models.{model}.damage.{condition}"
                yield from _damage(key, damage, found[model, "clean"], found[model, condition])
        if isinstance(results, schemas.AnyUat):
            yield from _transfer(results, rows, found, source)

    compare(path, source, pairs())
    moved = _by([row for row in rows if row["condition"] == "transfer"], ("trigger_source", "model"))
    if isinstance(results, schemas.AnyUat):
        origins = {(origin, target) for origin, targets in results.transfer.items() for target in targets}
        _same_groups(source, moved, {pair for pair in origins if len(set(pair)) > 1})
    groups = {" ".join(key): group for key, group in plain.items()}
    groups |= {" to ".join(key): group for key, group in moved.items()}
    _same_examples(source, groups, "the attack")


def _damage(key: str, damage: schemas.LossDamage, clean: Means, other: Means) -> Iterator[Pair]:
    """What must follow for a damage; both groups hold the same examples, or no rate is compared."""
    delta = other.nll_per_token - clean.nll_per_token
    yield f"{key}.delta_nll_per_token", damage.delta_nll_per_token, delta
    if clean.nll_per_token > 0:
        yield f"{key}.relative_nll", damage.relative_nll, delta / clean.nll_per_token
    if isinstance(damage, schemas.Damage):
        yield f"{key}.delta_rougeL", damage.delta_rougeL, clean.scores["rougeL"] - other.scores["rougeL"]
    if set(clean.each) != set(other.each):
        return
    # The same sums in the same order as the attacks' own, so that thresholds cut the same examples.
    both = [(clean.each[name], other.each[name]) for name in clean.each]
    for rate in damage.success_relative_nll:
        hits = sum(b.nats - a.nats > 0 and b.nats - a.nats >= rate.threshold * a.nats for a, b in both)
        yield f"{key}.success_relative_nll.{rate.threshold:g}", rate.rate, hits / len(both)
    if isinstance(damage, schemas.Damage):
        for rate in damage.success_rougeL_drop:
            hits = sum(a.rougeL - b.rougeL >= rate.threshold for a, b in both)
            yield f"{key}.success_rougeL_drop.{rate.threshold:g}", rate.rate, hits / len(both)
    if isinstance(damage, schemas.DamageText):
        for rate in damage.success_absolute_nll:
            hits = sum((b.nats - a.nats) / a.tokens >= rate.threshold for a, b in both)
            yield f"{key}.success_absolute_nll.{rate.threshold:g}", rate.rate, hits / len(both)


def _transfer(
    results: schemas.AnyUat, rows: Sequence[Row], found: Mapping[tuple[str, str], Means], source: Path
) -> Iterator[Pair]:
    groups = _by([row for row in rows if row["condition"] == "transfer"], ("trigger_source", "model"))
    for origin, targets in results.transfer.items():
        for target, damage in targets.items():
            key = f"transfer.{origin}.{target}"
            if origin == target:
                other = found[target, "attack"]
            else:
                other = means(groups.get((origin, target), []), source, f"transfer {origin} to {target}")
            yield from _damage(key, damage, found[target, "clean"], other)
