"""A run's numbers had again from its per-example files: means, intervals, lengths, curves; and what follows from them.

Means and damages are `examples`' work, which stage collect does too. Bootstrap intervals are drawn anew here, by
another road than stage evaluate's: how often each example is drawn is counted, and the counts are multiplied with the
scores.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mono_s2s import files, seeds
from mono_s2s.evidence import collection, examples, filing, metadata, schemas
from mono_s2s.evidence.examples import Pair, Row
from mono_s2s.evidence.verify.findings import Findings
from mono_s2s.evidence.verify.reading import Read
from mono_s2s.files import BadInput
from mono_s2s.scale import ARMS

# How the result files call what `_Draws` repeats.
METHODS = {
    "rouge": "percentile bootstrap of the mean over examples; draws from the run's seed and the data set's name",
    "scoring": "percentile bootstrap of exp(all nats / all tokens) over blocks; draws from the run's seed and the data "
    "set's name",
}
# Keys of a point of HotFlip's curve, and the condition at its end.
STRENGTH = {
    "nll_per_token": "attack",
    "random_nll_per_token": "random",
    "random_search_nll_per_token": "random_search",
}
# At most so many counts are held at once.
_HELD = 2**22


class _Draws:
    """The resamples of one data set, shared by all its models and reference points."""

    def __init__(self, seed: int, dataset: str, n: int, resamples: int, confidence: float) -> None:
        random = seeds.generator(seed, "intervals", dataset)
        self._tails = [50 * (1 - confidence), 50 * (1 + confidence)]
        step = max(1, _HELD // n)
        self._counts = []
        for start in range(0, resamples, step):
            drawn = random.integers(0, n, (min(step, resamples - start), n))
            rows = np.repeat(np.arange(len(drawn)), n)
            table = np.bincount(rows * n + drawn.ravel(), minlength=len(drawn) * n)
            self._counts.append(table.reshape(len(drawn), n).astype(np.float64))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """(resamples, m) sums of shape (n, m) values over the drawn examples."""
        return np.concatenate([counts @ values for counts in self._counts])

    def ends(self, resampled: np.ndarray) -> list[float]:
        """Lower and upper percentile of (resamples,) replicates."""
        return [float(end) for end in np.percentile(resampled, self._tails)]


def _groups(rows: Sequence[Row], column: str) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["dataset"], row[column]), []).append(row)
    return found


def _table(group: Sequence[Row], columns: Sequence[str]) -> np.ndarray:
    return np.array([[float(row[column]) for column in columns] for row in group])


def _intervals(run: Read) -> Iterator[Pair]:
    """The ends of every bootstrap interval of evaluation_results.json."""
    found: Any = run.filed.run.evaluation
    key = "scoring" if isinstance(found, schemas.EvaluationText) else "rouge"
    how = getattr(found, key)
    if how.get("interval") != METHODS[key]:
        raise BadInput(
            f"{run.folder / 'evaluation_results.json'}: {key}.interval is {how.get('interval')!r}, which nothing here "
            "can repeat: run stage evaluate again"
        )
    draws: dict[str, _Draws] = {}
    for what, rows, column in (
        ("models", run.rows["evaluation_examples.csv"], "model"),
        ("reference_points", run.rows["reference_points.csv"], "point"),
    ):
        for (dataset, name), group in _groups(rows, column).items():
            if dataset not in draws:
                draws[dataset] = _Draws(found.seed, dataset, len(group), how["resamples"], how["confidence"])
            own, stated = draws[dataset], getattr(found.datasets[dataset], what)[name]
            where = f"datasets.{dataset}.{what}.{name}"
            if key == "scoring":
                sums = own.sums(_table(group, ("nll_nats", "target_tokens")))
                ends = own.ends(np.exp(sums[:, 0] / sums[:, 1]))
                yield from _ends(f"{where}.perplexity", stated.perplexity, ends)
                continue
            means = own.sums(_table(group, schemas.ROUGE)) / len(group)
            scores = stated.rouge if what == "models" else stated
            for place, measure in enumerate(schemas.ROUGE):
                yield from _ends(f"{where}.{measure}", getattr(scores, measure), own.ends(means[:, place]))


def _ends(key: str, stated: schemas.Interval, ends: Sequence[float]) -> Iterator[Pair]:
    yield f"{key}.lower", stated.lower, ends[0]
    yield f"{key}.upper", stated.upper, ends[1]


def _lengths(run: Read) -> Iterator[Pair]:
    """Lengths of predictions and references, and what follows from them."""
    found = run.filed.run.evaluation
    if not isinstance(found, schemas.Evaluation):
        return
    for (dataset, model), group in _groups(run.rows["evaluation_examples.csv"], "model").items():
        quality, key = found.datasets[dataset].models[model], f"datasets.{dataset}.models.{model}"
        totals = []
        for what, stated in (("prediction", quality.prediction_lengths), ("reference", quality.reference_lengths)):
            values = _table(group, (f"{what}_tokens",))[:, 0]
            totals.append(float(values.sum()))
            own = {
                "mean": values.mean(),
                "sd": values.std(ddof=1),
                "median": np.median(values),
                "minimum": values.min(),
                "maximum": values.max(),
            }
            for name, value in own.items():
                yield f"{key}.{what}_lengths.{name}", getattr(stated, name), float(value)
        ratio = totals[0] / totals[1]
        yield f"{key}.length_ratio", quality.length_ratio, ratio
        short = math.exp(1 - 1 / ratio) if ratio > 0 else 0.0
        yield f"{key}.brevity_penalty", quality.brevity_penalty, 1.0 if ratio >= 1 else short


def _flips(run: Read) -> Iterator[Pair]:
    """HotFlip's mean numbers of flips, and the ends of its curve."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in run.rows["hotflip_examples.csv"]:
        groups.setdefault((row["model"], row["condition"]), []).append(row)
    for model, part in run.filed.run.hotflip.models.items():
        for condition, stated in part.effective_flips.items():
            flips = _table(groups[model, condition], ("flips",))
            yield f"models.{model}.effective_flips.{condition}", stated, float(flips.mean())
        for end, point in ((0, part.curve[0]), (-1, part.curve[-1])):
            for key, condition in STRENGTH.items():
                loss = part.conditions["clean" if end == 0 else condition].nll_per_token
                yield f"models.{model}.curve.{end % len(part.curve)}.{key}", getattr(point, key), loss


def _curves(run: Read) -> Iterator[str]:
    """training_curves.csv holds the very bytes that each arm's process wrote, and its validation losses."""
    path, rows = run.folder / "training_curves.csv", run.rows["training_curves.csv"]
    for arm in ARMS:
        own = [row for row in rows if row["arm"] == arm]
        text = files.to_csv(examples.CURVES, [{key: row[key] for key in examples.CURVES} for row in own])
        record = run.filed.records[f"train.{arm}"]
        stage = collection.folder(f"train.{arm}", run.filed.run.study, run.filed.run.seed)
        wanted = record["outputs"].get((stage / "curves.csv").as_posix())
        if hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() != wanted:
            yield f"{path}: the {arm}'s losses are not those that stage train.{arm} wrote: run `dvc repro`"
        training = run.filed.run.training[arm]
        best = min(training.epochs, key=lambda epoch: epoch.validation_nll_per_token)
        if training.best != best:
            yield (
                f"{run.folder / f'{arm}_training.json'}: best is epoch {training.best.epoch}, but epoch {best.epoch} "
                "has the lowest validation loss: run stage train again"
            )
        losses = {(row["step"], float(row["nll_per_token"])) for row in own if row["split"] == "validation"}
        for epoch in (training.initial, *training.epochs):
            if (str(epoch.step), epoch.validation_nll_per_token) not in losses:
                yield (
                    f"{path}: no validation loss {epoch.validation_nll_per_token!r} at step {epoch.step} of the {arm}, "
                    f"which {arm}_training.json has: run `dvc repro`"
                )
    if extra := {row["arm"] for row in rows} - set(ARMS):
        yield f"{path}: arm {min(extra)!r} is none: run `dvc repro`"


def numbers(run: Read, findings: Findings) -> None:
    """Everything that the result files state and the per-example files can tell."""
    found, where = run.filed.run, run.folder
    csv = {name: run.folder / f"{name}_examples.csv" for name in ("evaluation", "uat", "hotflip")}
    result = {name: run.folder / f"{name}_results.json" for name in csv}
    with findings.guarded("numbers", str(csv["evaluation"])):
        examples.check_evaluation(
            found.evaluation, run.rows["evaluation_examples.csv"], run.rows["reference_points.csv"], found.paths
        )
    for name, results in (("uat", found.uat), ("hotflip", found.hotflip)):
        with findings.guarded("numbers", str(csv[name])):
            examples.check_attack(name, results, run.rows[f"{name}_examples.csv"], found.paths)
    for name, pairs in (("evaluation", _intervals(run)), ("evaluation", _lengths(run)), ("hotflip", _flips(run))):
        with findings.guarded("numbers", str(csv[name])):
            examples.compare(result[name], csv[name], pairs)
    findings.take("numbers", _curves(run), str(where / "training_curves.csv"))


def derived(run: Read, section: Any, paper_seeds: Sequence[int], findings: Findings) -> None:
    """metadata.json follows from the records in it, and experiment_log.txt from metadata.json."""
    typed = run.filed.metadata
    with findings.guarded("records", str(run.folder / "metadata.json")):
        described = filing.describe(run.filed.run, typed.stages, section, paper_seeds)
        raw = typed.model_dump()
        for key in sorted(described):
            if raw[key] != described[key]:
                findings.add(
                    "records",
                    f"{run.folder / 'metadata.json'}: {key} does not follow from the records and results beside it: "
                    "run `dvc repro`",
                )
    with findings.guarded("rendering", str(run.folder / "experiment_log.txt")):
        path = run.folder / "experiment_log.txt"
        if path.is_file() and path.read_text(encoding="utf-8") != metadata.log(typed):
            findings.add("rendering", f"{path}: not what the records in metadata.json give: run `dvc repro`")
