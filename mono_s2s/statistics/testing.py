"""Tests over runs, what they could have found at all, and the rule by which a difference is claimed."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from mono_s2s.files import BadInput
from mono_s2s.statistics.describing import Key, checked, mean, sd, t_interval

# 2**22 signed sums are 32 MiB of floats; beyond it nobody needs the enumeration.
MOST_ENUMERATED = 22


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
    found = checked(differences, "sign-flip test")
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


def underpowered(n: int, alpha: float, m: int) -> bool:
    """Whether even n unanimous pairs cannot reject in a family of m: the sign-flip test's floor is above alpha / m.

    Holm's first step compares the smallest p with alpha / m, and without it there is no second.
    """
    return sign_flip_floor(n) > alpha / m


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided t tests of the mean difference against plus and minus the margin."""

    mean: float
    # The t interval at 1 - 2 alpha: equivalence is shown exactly where it lies between the margins.
    lower: float
    upper: float
    # Of the hypothesis that the mean is at most minus the margin, and that it is at least the margin.
    p_above_lower: float
    p_below_upper: float
    # The larger of the two.
    p: float
    equivalent: bool


def equivalence(differences: Sequence[float], margin: float, alpha: float) -> Equivalence:
    """Schuirmann's two one-sided tests (TOST, 1987) of shape (n,) paired differences, n >= 2.

    The hypothesis that is rejected says that the mean difference is as large as the margin or larger, in either
    direction; failing to find a difference is not enough. Where all differences are equal there is no t: nothing is
    shown and p is 1, for a metric that never moves (two models that both score 0, say) is no evidence.

    Raises:
        BadInput: fewer than two differences, one is NaN or infinite, the margin is not positive, or `alpha` is not in
            (0, 0.5).
    """
    found = checked(differences, "equivalence test")
    if len(found) < 2:
        raise BadInput("equivalence test: one difference has no spread: run the missing seeds first")
    if not 0 < margin < math.inf:
        raise BadInput(f"equivalence test: margin {margin} is not a positive number")
    if not 0 < alpha < 0.5:
        raise BadInput(f"equivalence test: alpha {alpha} is not between 0 and 0.5")
    center, freedom = mean(found), len(found) - 1
    error = (sd(found) or 0.0) / math.sqrt(len(found))

    def beyond(distance: float) -> float:
        """P that Student's t is at least distance / error."""
        return float(special.stdtr(freedom, -distance / error)) if error else 1.0

    above, below = beyond(center + margin), beyond(margin - center)
    lower, upper = t_interval(found, 1 - 2 * alpha) or (center, center)
    p = max(above, below)
    return Equivalence(center, lower, upper, above, below, p, p <= alpha)


@functools.cache
def _spreads(freedom: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations that a sample of standard normal values can have, and the probability of each.

    Quantiles at the normal probabilities of evenly spaced places: the trapezoidal rule converges exponentially there.
    """
    places = np.linspace(-9, 9, 1801)
    low = special.gammaincinv(freedom / 2, special.ndtr(places))
    high = special.gammainccinv(freedom / 2, special.ndtr(-places))
    weights = np.exp(-(places**2) / 2)
    return np.sqrt(2 * np.where(places < 0, low, high) / freedom), weights / math.fsum(weights.tolist())


def power(effect: float, n: int, alpha: float) -> float:
    """Power of the two-sided paired t test of n pairs at level alpha, for a true mean of `effect` standard deviations.

    The noncentral t distribution (Cohen 1988, chapter 2), integrated over what the sample's standard
    deviation can be: `scipy.special.nctdtr` is wrong for few pairs and small levels.

    Raises:
        BadInput: fewer than two pairs, or `alpha` is not in (0, 1).
    """
    if n < 2:
        raise BadInput(f"power: {n} pairs have no spread: run the missing seeds first")
    if not 0 < alpha < 1:
        raise BadInput(f"power: alpha {alpha} is not between 0 and 1")
    shift, (spreads, weights) = abs(effect) * math.sqrt(n), _spreads(n - 1)
    needed = float(special.stdtrit(n - 1, 1 - alpha / 2)) * spreads
    rejected = special.ndtr(shift - needed) + special.ndtr(-shift - needed)
    return math.fsum((weights * rejected).tolist())


def minimum_detectable(n: int, spread: float | None, alpha: float, wanted: float) -> float | None:
    """Smallest true mean difference that the two-sided paired t test at level alpha finds with power `wanted`.

    Args:
        n: pairs.
        spread: the differences' standard deviation; the answer is in its unit. None and 0 give None: nothing is known.
        alpha: level of the one test; under Holm's correction that of its strictest step, alpha / m.
        wanted: the power asked for, in (alpha, 1).

    Raises:
        BadInput: fewer than two pairs, or `alpha` or `wanted` is impossible.
    """
    if not spread:
        return None
    if not alpha < wanted < 1:
        raise BadInput(f"minimum detectable effect: power {wanted} is not between alpha ({alpha:g}) and 1")
    low, high = 0.0, 1.0
    while power(high, n, alpha) < wanted:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle, n, alpha) < wanted else (low, middle)
    return high * spread


Decision = Literal["claimed", "not claimed", "cannot be claimed: underpowered"]
Interval = tuple[float, float] | None


def decide(
    p_adjusted: float, alpha: float, weak: bool, over_seeds: Interval, over_both: Interval
) -> tuple[Decision, list[str]]:
    """Whether a difference is claimed, and every reason why not.

    Three things must hold: the sign-flip p, adjusted by Holm's method, is at most alpha; the t interval over seeds
    excludes 0; and so does the crossed bootstrap interval over seeds and examples, on the same side.

    Args:
        p_adjusted: of the sign-flip test.
        alpha: level of the family.
        weak: whether the design could not have rejected anyway (`underpowered`).
        over_seeds: the t interval; None where one seed has none.
        over_both: the crossed bootstrap interval; None where there are no per-example values.
    """
    against = []
    if weak:
        against.append("the sign-flip test's floor is above alpha / m")
    if p_adjusted > alpha:
        against.append("the adjusted sign-flip p is above alpha")
    sides = set()
    for name, found in (("t interval", over_seeds), ("crossed bootstrap interval", over_both)):
        if found is None:
            against.append(f"there is no {name}")
        elif found[0] <= 0 <= found[1]:
            against.append(f"the {name} includes 0")
        elif found[0] == found[1]:
            against.append(f"the {name} has no width")
        else:
            sides.add(found[0] > 0)
    if len(sides) > 1:
        against.append("the intervals lie on different sides of 0")
    if weak:
        return "cannot be claimed: underpowered", against
    return ("not claimed" if against else "claimed"), against
