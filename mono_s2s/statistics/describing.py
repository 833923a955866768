"""One number a run, described: mean, spread, interval, effect size, wins."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from scipy import special

from mono_s2s.files import BadInput

Key = TypeVar("Key", bound=Hashable)


def checked(values: Sequence[float], what: str) -> list[float]:
    """The values as floats, at least one and all finite; `what` is what the error calls them.

    Raises:
        BadInput: no values, or one is NaN or infinite.
    """
    found = [float(value) for value in values]
    if not found:
        raise BadInput(f"{what}: no values at all: run the missing seeds first")
    for place, value in enumerate(found):
        if not math.isfinite(value):
            raise BadInput(f"{what}: value {place + 1} of {len(found)} is {value}: find out why before comparing")
    return found


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean of shape (n,) values, n >= 1, correctly rounded sum.

    Raises:
        BadInput: no values, or one is NaN or infinite.
    """
    found = checked(values, "mean")
    if len(set(found)) == 1:
        return found[0]
    return math.fsum(found) / len(found)


def sd(values: Sequence[float]) -> float | None:
    """Standard deviation of shape (n,) values with n - 1 in the denominator; None for fewer than two.

    Raises:
        BadInput: no values, or one is NaN or infinite.
    """
    found = checked(values, "sd")
    if len(found) < 2:
        return None
    if len(set(found)) == 1:
        return 0.0
    center = mean(found)
    return math.sqrt(math.fsum((value - center) ** 2 for value in found) / (len(found) - 1))


def t_interval(values: Sequence[float], confidence: float) -> tuple[float, float] | None:
    """Student's t interval for the mean of shape (n,) values; None for fewer than two.

    Args:
        values: one number a run.
        confidence: share of such intervals that cover the mean if the values are normal, in (0, 1).

    Raises:
        BadInput: no values, one is NaN or infinite, or `confidence` is not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise BadInput(f"confidence: {confidence} is not between 0 and 1")
    found = checked(values, "t interval")
    spread = sd(found)
    if spread is None:
        return None
    n = len(found)
    half = float(special.stdtrit(n - 1, 0.5 + confidence / 2)) * spread / math.sqrt(n)
    center = mean(found)
    return center - half, center + half


def paired_differences(
    treatment: Mapping[Key, float], control: Mapping[Key, float], names: tuple[str, str] = ("treatment", "control")
) -> dict[Key, float]:
    """Treatment minus control for each run that both have; `names` are what the error calls the two.

    Raises:
        BadInput: a run is in one and not in the other, there is none, or a value is NaN or infinite.
    """
    for here, there, name in ((treatment, control, names[1]), (control, treatment, names[0])):
        lacking = [key for key in here if key not in there]
        if lacking:
            raise BadInput(f"{name}: no value for {', '.join(map(str, lacking))}: a pair needs both")
    checked(list(treatment.values()), names[0])
    checked(list(control.values()), names[1])
    return {key: treatment[key] - control[key] for key in treatment}


def effect_size(differences: Sequence[float]) -> float | None:
    """Standardized mean of paired differences, d_z = mean / sd, times Hedges' exact small-sample factor.

    The factor is gamma(m / 2) / (sqrt(m / 2) gamma((m - 1) / 2)) with m = n - 1 (Hedges 1981, equation 6e). None where
    it is undefined: fewer than three differences, or all of them equal.

    Raises:
        BadInput: no differences, or one is NaN or infinite.
    """
    found = checked(differences, "effect size")
    spread = sd(found)
    if len(found) < 3 or not spread:
        return None
    freedom = len(found) - 1
    factor = math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return factor * mean(found) / spread


@dataclass(frozen=True)
class Tally:
    """How often the treatment was better, equal and worse."""

    win: int
    tie: int
    loss: int


def tally(differences: Sequence[float], better: str) -> Tally:
    """Wins, ties and losses among shape (n,) paired differences, treatment minus control.

    Args:
        differences: one a pair.
        better: "higher" or "lower", which of the two is a win.

    Raises:
        BadInput: no differences, or one is NaN or infinite.
    """
    found = checked(differences, "win, tie, loss")
    positive, negative = sum(value > 0 for value in found), sum(value < 0 for value in found)
    win, loss = (positive, negative) if better == "higher" else (negative, positive)
    return Tally(win=win, tie=len(found) - positive - negative, loss=loss)


def probability_of_improvement(treatment: Sequence[float], control: Sequence[float], better: str) -> float:
    """Share of all (n, m) pairs of a treated and a control run in which the treated one is better; ties count half.

    What a reader gets who trains one model of each kind with seeds of their own: Mann and Whitney's U over n m (1947;
    Agarwal et al. 2021, section 4.3). Pairing by seed plays no part.

    Raises:
        BadInput: no values, or one is NaN or infinite.
    """
    ours, theirs = checked(treatment, "probability of improvement"), checked(control, "probability of improvement")
    found = tally([one - other for one in ours for other in theirs], better)
    return (found.win + found.tie / 2) / (len(ours) * len(theirs))
