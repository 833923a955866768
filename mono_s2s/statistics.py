"""Seeds compared: the unit is the training run.

Pure functions over one number a run. Whatever is missing, NaN or of unequal length is an error: a comparison that could
not be made must never read as "no difference".
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import special

from mono_s2s.files import BadInput

Key = TypeVar("Key", bound=Hashable)

# 2**22 signed sums are 32 MiB of floats; beyond it nobody needs the enumeration.
MOST_ENUMERATED = 22


def _checked(values: Sequence[float], what: str) -> list[float]:
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
    found = _checked(values, "mean")
    if len(set(found)) == 1:
        return found[0]
    return math.fsum(found) / len(found)


def sd(values: Sequence[float]) -> float | None:
    """Standard deviation of shape (n,) values with n - 1 in the denominator; None for fewer than two.

    Raises:
        BadInput: no values, or one is NaN or infinite.
    """
    found = _checked(values, "sd")
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
    found = _checked(values, "t interval")
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
    _checked(list(treatment.values()), names[0])
    _checked(list(control.values()), names[1])
    return {key: treatment[key] - control[key] for key in treatment}


def sign_flip_floor(n: int) -> float:
    """Smallest p that the two-sided sign-flip test of n pairs can give: 2**(1 - n)."""
    if n < 1:
        raise BadInput(f"sign-flip test: {n} pairs: run the missing seeds first")
    return 2.0 ** (1 - n)


def sign_flip(differences: Sequence[float]) -> float:
    """Two-sided p of the exact paired sign-flip (randomization) test of shape (n,) differences.

    Under the null hypothesis each difference is as likely as its negative; all 2**n sign patterns are enumerated, and p
    is the share whose absolute sum is at least the observed one (Fisher 1935, The Design of Experiments, section 21).

    Raises:
        BadInput: no differences, more than `MOST_ENUMERATED`, or one is NaN or infinite.
    """
    found = _checked(differences, "sign-flip test")
    if len(found) > MOST_ENUMERATED:
        raise BadInput(f"sign-flip test: {len(found)} pairs are too many to enumerate (at most {MOST_ENUMERATED})")
    sums = np.zeros(1)
    for difference in found:
        sums = np.concatenate((sums + difference, sums - difference))
    # The first sum has all observed signs. Sums that are equal in exact arithmetic may differ in the last bits.
    slack = 1e-12 * math.fsum(abs(difference) for difference in found)
    return float(np.mean(np.abs(sums) >= abs(sums[0]) - slack))


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Holm's step-down adjusted p values of one family (Holm 1979): reject where the adjusted p is <= alpha.

    Raises:
        BadInput: an empty family, or a p that is not in [0, 1].
    """
    if not p_values:
        raise BadInput("Holm's correction: the family has no tests")
    for key, p in p_values.items():
        if not 0 <= p <= 1:
            raise BadInput(f"Holm's correction: p of {key} is {p}, not between 0 and 1")
    adjusted: dict[Key, float] = {}
    running = 0.0
    ordered = sorted(p_values, key=lambda key: p_values[key])
    for place, key in enumerate(ordered):
        running = max(running, min(1.0, (len(ordered) - place) * p_values[key]))
        adjusted[key] = running
    return {key: adjusted[key] for key in p_values}


def effect_size(differences: Sequence[float]) -> float | None:
    """Standardized mean of paired differences, d_z = mean / sd, times Hedges' exact small-sample factor.

    The factor is gamma(m / 2) / (sqrt(m / 2) gamma((m - 1) / 2)) with m = n - 1 (Hedges 1981, equation 6e). None where
    it is undefined: fewer than three differences, or all of them equal.

    Raises:
        BadInput: no differences, or one is NaN or infinite.
    """
    found = _checked(differences, "effect size")
    spread = sd(found)
    if len(found) < 3 or not spread:
        return None
    freedom = len(found) - 1
    factor = math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    return factor * mean(found) / spread


@dataclass(frozen=True)
class Comparison:
    """Paired differences over runs, described and tested, before any correction for multiplicity."""

    n: int
    mean: float
    sd: float | None
    lower: float | None
    upper: float | None
    effect_size: float | None
    p: float
    floor: float
    positive: int
    zero: int
    negative: int


def compare(differences: Sequence[float], confidence: float) -> Comparison:
    """Describe and test shape (n,) paired differences: t interval, effect size, exact sign-flip test with its floor."""
    found = _checked(differences, "paired differences")
    lower, upper = t_interval(found, confidence) or (None, None)
    return Comparison(
        n=len(found),
        mean=mean(found),
        sd=sd(found),
        lower=lower,
        upper=upper,
        effect_size=effect_size(found),
        p=sign_flip(found),
        floor=sign_flip_floor(len(found)),
        positive=sum(value > 0 for value in found),
        zero=sum(value == 0 for value in found),
        negative=sum(value < 0 for value in found),
    )
