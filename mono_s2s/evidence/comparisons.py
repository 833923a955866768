"""Runs compared: statistical_tests.json, typed, and how it comes about.

What each number in it is stands in the file itself, in words (`methods`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from mono_s2s import seeds, statistics
from mono_s2s.evidence import collection, metrics, pairing, schemas
from mono_s2s.evidence.metrics import CONTRAST
from mono_s2s.evidence.parts import Count, Part, Positive, Share
from mono_s2s.files import BadInput
from mono_s2s.params import Params

# Metric -> model -> seed -> value.
Values = Mapping[str, Mapping[str, Mapping[int, float]]]
ARMS = ("monotonic", "baseline")


class Wins(Part):
    """How often monotonic was better, equal and worse, and the probability of improvement."""

    win: Count
    tie: Count
    loss: Count
    probability_of_improvement: Share


class VarianceParts(Part):
    """Where the variance of the paired differences comes from; shares are of the variance of their mean."""

    seed: float
    example: float
    residual: float
    seed_share: Share | None
    example_share: Share | None
    residual_share: Share | None


class OverExamples(Part):
    """What the per-example records add."""

    source: str
    n: Positive
    # Crossed bootstrap over seeds and examples.
    lower: float
    upper: float
    wins: Wins
    # Null where one seed or one example has no variance.
    variance: VarianceParts | None


class Test(Part):
    """One paired comparison over seeds."""

    family: str
    words: str
    unit: str
    better: Literal["higher", "lower"]
    estimand: str
    values: dict[str, float]
    n: int
    mean: float
    sd: float | None
    lower: float | None
    upper: float | None
    effect_size: float | None
    p: Share
    floor: Share
    p_holm: Share
    rejected: bool
    underpowered: bool
    minimum_detectable: float | None
    wins: Wins
    # Null for what training leaves.
    examples: OverExamples | None
    decision: statistics.Decision
    # Every condition of the rule that does not hold.
    reasons: list[str]


class Equivalence(Part):
    """The study's clean cost against its declared margin."""

    metric: str
    words: str
    unit: str
    better: Literal["higher", "lower"]
    estimand: str
    margin: float
    n: int
    mean: float
    # t interval at 1 - 2 alpha.
    lower: float
    upper: float
    p_above_lower: Share
    p_below_upper: Share
    p: Share
    # Of the one test on the side that is worse.
    p_no_worse: Share
    decision: Literal["equivalent", "no worse than the margin", "not shown"]


class Methods(Part):
    """What the numbers are, in words."""

    estimand: str
    t_interval: str
    sign_flip: str
    holm: str
    underpowered: str
    effect_size: str
    wins: str
    crossed_bootstrap: str
    variance: str
    minimum_detectable: str
    equivalence: str
    decision: str


class Tests(Part):
    """statistical_tests.json."""

    __test__ = False  # not a class of tests, whatever pytest thinks of its name

    schema_version: Literal[2]
    study: str
    scale: str
    seeds: list[int]
    contrast: str
    confidence: float
    alpha: float
    power: float
    resamples: Positive
    methods: Methods
    families: dict[str, list[str]]
    tests: dict[str, Test]
    equivalence: Equivalence


def _methods(params: Params) -> dict[str, str]:
    chosen = params.statistics
    level = f"{100 * chosen.confidence:g}%"
    return {
        "estimand": (
            f"Each test's estimand is the mean over training seeds of the paired difference, {CONTRAST}; the unit of "
            "analysis is the training run, and both arms are measured on the same examples at the same seed."
        ),
        "t_interval": (
            f"lower, upper: Student's t interval at {level} of that mean over seeds. It generalizes to new seeds on "
            "these examples, if the seeds' differences are normal."
        ),
        "sign_flip": (
            "p: exact two-sided paired sign-flip (randomization) test over seeds: the share of all sign patterns "
            "whose absolute sum is at least the observed one. floor: the smallest p that it can give, 2**(1 - n)."
        ),
        "holm": (
            "p_holm: p adjusted by Holm's step-down method inside its family of this study. rejected: p_holm is at "
            "most alpha. The family named primary is confirmatory; others are exploratory."
        ),
        "underpowered": (
            "floor is above alpha over the number of tests in the family, so that even unanimous seeds cannot reject."
        ),
        "effect_size": (
            "d_z: mean over standard deviation (n - 1) of the seeds' differences, times Hedges' exact small-sample "
            "factor. null: fewer than three seeds, or no spread."
        ),
        "wins": (
            "win: pairs in which monotonic is better in the metric's direction; over seeds, and over all pairs of one "
            "example at one seed. probability_of_improvement, over seeds: share of all pairs of a monotonic and a "
            "baseline run, of whatever seeds, in which the monotonic one is better; over examples: share of the "
            "pairs just counted. Ties count half."
        ),
        "crossed_bootstrap": (
            f"examples.lower, examples.upper: percentile interval at {level} of the same mean over "
            f"{chosen.resamples} resamples of seeds and, independently, of examples inside their test set (pigeonhole "
            "bootstrap of two crossed factors; both arms share the draws). It generalizes to new seeds and new "
            "examples, but of few seeds it is too narrow, so it never decides alone. The draws follow from the names "
            "of study and metric: there is no seed to choose."
        ),
        "variance": (
            "Two-way random effects of the paired differences (for ratios of sums: of each example's linear "
            "contribution): variance between seeds, between examples, and the residual of one example at one seed; "
            "estimates below zero are reported as zero. Shares are of the variance of the mean."
        ),
        "minimum_detectable": (
            f"Smallest true mean difference that a two-sided paired t test over so many seeds, at alpha over the "
            f"number of tests in the family, finds with power {chosen.power:g}, if the true standard deviation is the "
            "observed one; null where that is 0. Where underpowered is true the sign-flip test finds none, however "
            "large."
        ),
        "equivalence": (
            "Two one-sided t tests (TOST) over seeds of the mean difference against minus and plus the declared "
            "margin, each at alpha; lower, upper: the t interval at 1 - 2 alpha, which lies inside the margins "
            "exactly where equivalence is shown. One test a study, so uncorrected. no worse than the margin: only the "
            "side that is worse is excluded. not shown: neither, which does not show a difference either. Where all "
            "seeds' differences are equal there is no t test: each p is 1 and nothing is shown."
        ),
        "decision": (
            "A difference is claimed only if p_holm is at most alpha, and the t interval over seeds excludes 0, and "
            "the crossed bootstrap interval over seeds and examples excludes 0 on the same side. Over new seeds that "
            "keeps the probability of any false claim in a family at alpha; over new examples, that of each test."
        ),
    }


def _wins(found: statistics.Tally, probability: float | None = None) -> dict[str, Any]:
    share = (found.win + found.tie / 2) / (found.win + found.tie + found.loss)
    return {**asdict(found), "probability_of_improvement": share if probability is None else probability}


def _agree(metric: str, differences: Mapping[int, float], paired: statistics.Paired, paths: Mapping[int, Path]) -> None:
    """The examples give the difference that the results state, seed by seed."""
    for (seed, stated), found in zip(differences.items(), statistics.per_seed(paired).tolist(), strict=True):
        if not math.isclose(stated, found, rel_tol=1e-9, abs_tol=1e-9):
            raise BadInput(
                f"{paths[seed]}: {metric}, {CONTRAST}: its examples give {found!r}, final_results.json of seed {seed} "
                f"says {stated!r}: run `dvc repro`"
            )


class _Files:
    """The per-example files of a study's runs, each read once."""

    def __init__(self, runs: Mapping[int, collection.Run]) -> None:
        self._runs = runs
        self._found: dict[str, pairing.Examples] = {}

    def pairs(self, metric: str, differences: Mapping[int, float]) -> tuple[str, statistics.Paired] | None:
        """A metric's file and its pairs; None for what training leaves."""
        source = pairing.source_of(metric)
        if source is None:
            return None
        first = next(iter(self._runs.values()))
        paths = {seed: run.paths[source] for seed, run in self._runs.items()}
        if source not in self._found:
            self._found[source] = pairing.gather(source, first.study, paths)
        paired = pairing.pairs(metric, first.study, self._found[source], pairing.threshold_of(metric, first))
        _agree(metric, differences, paired, paths)
        return source, paired


def _over_examples(
    metric: str, found: tuple[str, statistics.Paired] | None, study: str, better: str, params: Params
) -> dict[str, Any] | None:
    if found is None:
        return None
    source, paired = found
    chosen = params.statistics
    random = seeds.generator(0, "crossed bootstrap", study, metric)
    lower, upper = statistics.crossed_interval(paired, chosen.confidence, chosen.resamples, random)
    variance = statistics.variance_components(statistics.contributions(paired))
    return {
        "source": source,
        "n": len(paired.strata),
        "lower": lower,
        "upper": upper,
        "wins": _wins(statistics.example_tally(paired, better)),
        "variance": None if variance is None else asdict(variance),
    }


def _described(metric: metrics.Metric) -> dict[str, str]:
    return {"words": metric.words, "unit": metric.unit, "better": metric.better, "estimand": metric.estimand}


def _differences(values: Values, name: str) -> dict[int, float]:
    return statistics.paired_differences(values[name]["monotonic"], values[name]["baseline"], ARMS)


def _family(
    study: str, family: str, names: list[str], values: Values, at_hand: _Files, params: Params
) -> dict[str, Any]:
    """The tests of one family by metric."""
    chosen, m = params.statistics, len(names)
    differences = {name: _differences(values, name) for name in names}
    p_values = {name: statistics.sign_flip(list(own.values())) for name, own in differences.items()}
    adjusted = statistics.holm(p_values)
    found = {}
    for name, own in differences.items():
        metric, numbers = metrics.of(study)[name], list(own.values())
        n, spread = len(numbers), statistics.sd(numbers)
        interval = statistics.t_interval(numbers, chosen.confidence)
        weak = statistics.underpowered(n, chosen.alpha, m)
        over = _over_examples(name, at_hand.pairs(name, own), study, metric.better, params)
        decision, reasons = statistics.decide(
            adjusted[name], chosen.alpha, weak, interval, None if over is None else (over["lower"], over["upper"])
        )
        by_model = [list(values[name][model].values()) for model in ARMS]
        found[name] = {
            "family": family,
            **_described(metric),
            "values": {str(seed): value for seed, value in own.items()},
            "n": n,
            "mean": statistics.mean(numbers),
            "sd": spread,
            "lower": interval[0] if interval else None,
            "upper": interval[1] if interval else None,
            "effect_size": statistics.effect_size(numbers),
            "p": p_values[name],
            "floor": statistics.sign_flip_floor(n),
            "p_holm": adjusted[name],
            "rejected": adjusted[name] <= chosen.alpha,
            "underpowered": weak,
            "minimum_detectable": statistics.minimum_detectable(n, spread, chosen.alpha / m, chosen.power),
            "wins": _wins(
                statistics.tally(numbers, metric.better),
                statistics.probability_of_improvement(*by_model, metric.better),
            ),
            "examples": over,
            "decision": decision,
            "reasons": reasons,
        }
    return found


def equivalence(study: str, values: Values, params: Params) -> dict[str, Any]:
    """The content of `Equivalence`: the study's declared metric against its declared margin."""
    declared, alpha = params.statistics.equivalence[study], params.statistics.alpha
    metric, own = metrics.of(study)[declared.metric], _differences(values, declared.metric)
    found = statistics.equivalence(list(own.values()), declared.margin, alpha)
    # Of a metric that is better when higher, monotonic is worse where the difference is negative.
    p_no_worse = found.p_above_lower if metric.better == "higher" else found.p_below_upper
    part = {key: value for key, value in asdict(found).items() if key != "equivalent"}
    return {
        "metric": declared.metric,
        **_described(metric),
        "margin": declared.margin,
        "n": len(own),
        **part,
        "p_no_worse": p_no_worse,
        "decision": "equivalent"
        if found.equivalent
        else ("no worse than the margin" if p_no_worse <= alpha else "not shown"),
    }


def compare(
    runs: Mapping[int, collection.Run], finals: Mapping[int, schemas.Final], values: Values, params: Params
) -> dict[str, Any]:
    """The content of statistical_tests.json: the families of params.yaml, and the clean cost against its margin.

    Args:
        runs: by seed, with the paths of their per-example files.
        finals: final_results.json by seed.
        values: what stands in them, by metric, model and seed (`aggregation.by_metric`).
        params: families, levels, margins.

    Raises:
        BadInput: a family or the equivalence test names an unknown metric, an example is missing or unpaired, or the
            examples do not give what the results state; names the file.
    """
    chosen, first = params.statistics, next(iter(finals.values()))
    metrics.check_families(chosen.families)
    metrics.check_equivalence({study: part.metric for study, part in chosen.equivalence.items()})
    families, at_hand, found = chosen.families[first.study], _Files(runs), {}
    for family, names in families.items():
        found |= _family(first.study, family, names, values, at_hand, params)
    return {
        "schema_version": 2,
        "study": first.study,
        "scale": first.scale,
        "seeds": list(finals),
        "contrast": CONTRAST,
        "confidence": chosen.confidence,
        "alpha": chosen.alpha,
        "power": chosen.power,
        "resamples": chosen.resamples,
        "methods": _methods(params),
        "families": dict(families),
        "tests": found,
        "equivalence": equivalence(first.study, values, params),
    }
