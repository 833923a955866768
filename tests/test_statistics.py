"""Statistics against scipy, against simulation and against values worked out by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mono_s2s import statistics
from mono_s2s.files import BadInput

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def samples(count=20, sizes=(2, 3, 5, 8)):
    generator = np.random.default_rng(7)
    return [generator.normal(0.3, 1.0, size=sizes[place % len(sizes)]).tolist() for place in range(count)]


def test_mean_and_sd_by_hand():
    assert statistics.mean([2, 4, 4, 4, 5, 5, 7, 9]) == 5
    assert statistics.sd([2, 4, 4, 4, 5, 5, 7, 9]) == pytest.approx(math.sqrt(32 / 7))
    assert statistics.sd([3.0]) is None


def test_equal_values_have_no_spread_and_their_own_mean():
    assert statistics.mean([0.1] * 5) == 0.1
    assert statistics.sd([0.1] * 5) == 0.0


@pytest.mark.parametrize("values", samples())
def test_t_interval_is_scipys(values):
    for confidence in (0.8, 0.95):
        expected = stats.t.interval(confidence, len(values) - 1, np.mean(values), stats.sem(values))
        assert statistics.t_interval(values, confidence) == pytest.approx(expected, rel=1e-10)


def test_t_interval_of_five_by_the_table():
    # t(0.975; 4 degrees of freedom) = 2.776 in every printed table.
    lower, upper = statistics.t_interval([1.0, 2.0, 3.0, 4.0, 5.0], 0.95)
    assert (upper - lower) / 2 == pytest.approx(2.7764 * math.sqrt(2.5) / math.sqrt(5), rel=1e-4)
    assert statistics.t_interval([1.0], 0.95) is None


def test_t_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(3)
    trials = 2000
    hits = 0
    for _ in range(trials):
        lower, upper = statistics.t_interval(generator.normal(1.0, 2.0, size=5), 0.9)
        hits += lower <= 1.0 <= upper
    assert abs(hits / trials - 0.9) < 4 * math.sqrt(0.9 * 0.1 / trials)


@pytest.mark.parametrize("values", samples())
def test_sign_flip_is_scipys_permutation_test(values):
    exact = stats.permutation_test(
        (np.array(values),), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert statistics.sign_flip(values) == pytest.approx(exact.pvalue, abs=1e-12)


def test_sign_flip_by_hand():
    # |1 + 2 + 3| = 6 is reached by two patterns of eight; |1 + 2 - 4| = 1 is the smallest of all sums, so p is 1.
    assert statistics.sign_flip([1, 2, 3]) == 2 / 8
    assert statistics.sign_flip([1, 2, -4]) == 1.0
    assert statistics.sign_flip([0.0, 0.0]) == 1.0


def test_sign_flip_is_not_fooled_by_rounding():
    # 0.1 + 0.2 - 0.3 is 5.6e-17 and 0.3 - 0.1 - 0.2 is 0 in floating point; both are 0 in truth.
    assert statistics.sign_flip([0.1, 0.2, -0.3]) == 1.0


def test_sign_flip_of_darwins_plants():
    # Cross- minus self-fertilized heights in eighths of an inch; Fisher (1935) enumerates 2**15 sums and finds
    # 863 as large as the observed one on one side: p = 2 * 863 / 32768.
    heights = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert statistics.sign_flip(heights) == pytest.approx(2 * 863 / 32768)


@given(st.lists(FINITE, min_size=1, max_size=8))
def test_sign_flip_stays_between_its_floor_and_one(values):
    p = statistics.sign_flip(values)
    assert statistics.sign_flip_floor(len(values)) <= p <= 1
    assert statistics.sign_flip([-value for value in values]) == p


def test_floor_of_five_and_six_seeds():
    assert statistics.sign_flip_floor(5) == 0.0625
    assert statistics.sign_flip_floor(6) == 0.03125
    assert statistics.sign_flip([1, 2, 3, 4, 5]) == 0.0625


def test_sign_flip_has_its_size():
    generator = np.random.default_rng(11)
    trials = 1500
    rejected = sum(statistics.sign_flip(generator.normal(size=8)) <= 0.05 for _ in range(trials))
    # 12 of the 256 values that p can take lie at or below 0.05.
    assert abs(rejected / trials - 12 / 256) < 4 * math.sqrt(0.05 * 0.95 / trials)


def test_too_many_pairs_are_refused():
    with pytest.raises(BadInput, match="too many to enumerate"):
        statistics.sign_flip([1.0] * 30)


def test_holm_by_hand():
    # The worked example of most textbooks: 4 * .01, 3 * .013 raised to .04, 2 * .03, .06 again.
    adjusted = statistics.holm({"a": 0.01, "b": 0.03, "c": 0.04, "d": 0.013})
    assert adjusted == pytest.approx({"a": 0.04, "b": 0.06, "c": 0.06, "d": 0.04})
    assert list(adjusted) == ["a", "b", "c", "d"]
    assert statistics.holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values):
    adjusted = statistics.holm(dict(enumerate(p_values)))
    for place, p in enumerate(p_values):
        # Closure: the largest Bonferroni p over all subfamilies that contain the test.
        others = [other for other in range(len(p_values)) if other != place]
        closed = p
        for size in range(len(others) + 1):
            for chosen in itertools.combinations(others, size):
                family = [p, *(p_values[other] for other in chosen)]
                closed = max(closed, min(1.0, len(family) * min(family)))
        assert adjusted[place] == pytest.approx(closed)


def test_effect_size_by_hand():
    # Hedges' factor for 4 degrees of freedom is gamma(2) / (sqrt(2) gamma(1.5)) = 0.79788.
    assert statistics.effect_size([1, 2, 3, 4, 5]) == pytest.approx(0.797885 * 3 / math.sqrt(2.5), rel=1e-6)
    assert statistics.effect_size([1, 2]) is None
    assert statistics.effect_size([2, 2, 2]) is None


def test_effect_size_is_unbiased():
    generator = np.random.default_rng(5)
    found = [statistics.effect_size(generator.normal(0.5, 1.0, size=6)) for _ in range(4000)]
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / math.sqrt(len(found)))


def test_wins_ties_and_losses_by_hand():
    assert statistics.tally([1.0, 0.0, -2.0, 3.0], "higher") == statistics.Tally(win=2, tie=1, loss=1)
    assert statistics.tally([1.0, 0.0, -2.0, 3.0], "lower") == statistics.Tally(win=1, tie=1, loss=2)


@pytest.mark.parametrize("values", samples(8, (3, 5)))
def test_probability_of_improvement_is_mann_and_whitneys_u(values):
    control = [round(value * 2) / 2 for value in values[::-1]]
    ours = [round(value * 2) / 2 + 0.5 for value in values]
    u = stats.mannwhitneyu(ours, control).statistic
    n = len(values) ** 2
    assert statistics.probability_of_improvement(ours, control, "higher") == pytest.approx(u / n)
    assert statistics.probability_of_improvement(ours, control, "lower") == pytest.approx(1 - u / n)


def test_probability_of_improvement_is_unbiased():
    # Of two normal variables one standard deviation apart: the probability is Phi(1 / sqrt 2).
    generator = np.random.default_rng(21)
    found = [
        statistics.probability_of_improvement(generator.normal(1, 1, 5), generator.normal(0, 1, 5), "higher")
        for _ in range(1500)
    ]
    expected = stats.norm.cdf(1 / math.sqrt(2))
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / math.sqrt(len(found)))


@pytest.mark.parametrize("values", samples())
def test_equivalence_is_two_of_scipys_one_sided_t_tests(values):
    for margin in (0.1, 1.0, 5.0):
        found = statistics.equivalence(values, margin, 0.05)
        above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
        below = stats.ttest_1samp(values, margin, alternative="less").pvalue
        assert (found.p_above_lower, found.p_below_upper) == pytest.approx((above, below), rel=1e-9)
        assert found.p == max(found.p_above_lower, found.p_below_upper)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=8), st.floats(0.1, 5))
def test_equivalence_is_shown_where_the_interval_lies_between_the_margins(values, margin):
    assume(statistics.sd(values) > 1e-6)
    found = statistics.equivalence(values, margin, 0.05)
    inside = -margin < found.lower and found.upper < margin
    edge = min(abs(found.lower + margin), abs(found.upper - margin)) < 1e-9
    assert found.equivalent == inside or edge


@pytest.mark.parametrize("value", [0.0, 0.5, 2.0])
def test_a_metric_that_never_moves_shows_nothing(value):
    """Two models that both score 0 are not shown to be equivalent, nor are copies of one run."""
    found = statistics.equivalence([value] * 5, 1.0, 0.05)
    assert (found.equivalent, found.p_above_lower, found.p_below_upper, found.p) == (False, 1.0, 1.0, 1.0)
    assert (found.mean, found.lower, found.upper) == (value, value, value)


def test_no_difference_found_is_not_equivalence():
    values = [-3.0, 2.0, 4.0, -2.0, 0.0]
    assert statistics.sign_flip(values) > 0.5
    assert not statistics.equivalence(values, 1.0, 0.05).equivalent


def test_equivalence_has_its_size():
    """At a true difference of exactly the margin, wide against the spread, 5 % are called equivalent."""
    generator = np.random.default_rng(13)
    trials = 2000
    shown = sum(statistics.equivalence(generator.normal(1.0, 0.2, 5), 1.0, 0.05).equivalent for _ in range(trials))
    assert abs(shown / trials - 0.05) < 4 * math.sqrt(0.05 * 0.95 / trials)


def test_power_is_the_published_one():
    # G*Power 3.1, paired t test, d_z = 0.5, alpha 0.05, two tails, n = 34: 0.8077775.
    assert statistics.power(0.5, 34, 0.05) == pytest.approx(0.8077775, abs=1e-7)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3])
def test_power_is_that_of_the_noncentral_t(n, alpha):
    for effect in (0.0, 0.5, 2.0, -2.0):
        critical, shift = stats.t.ppf(1 - alpha / 2, n - 1), abs(effect) * math.sqrt(n)
        expected = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
        assert statistics.power(effect, n, alpha) == pytest.approx(expected, abs=1e-9)
    assert statistics.power(0.0, n, alpha) == pytest.approx(alpha, abs=1e-9)


def test_the_minimum_detectable_effect_has_its_power():
    for n in (2, 5, 8):
        found = statistics.minimum_detectable(n, 3.0, 0.05, 0.8)
        assert statistics.power(found / 3.0, n, 0.05) == pytest.approx(0.8, abs=1e-9)
    assert statistics.minimum_detectable(5, None, 0.05, 0.8) is None
    assert statistics.minimum_detectable(5, 0.0, 0.05, 0.8) is None


def test_the_minimum_detectable_effect_is_found_as_often_as_it_says():
    generator = np.random.default_rng(17)
    effect = statistics.minimum_detectable(5, 2.0, 0.05, 0.8)
    trials = 2000
    found = 0
    for _ in range(trials):
        lower, upper = statistics.t_interval(generator.normal(effect, 2.0, 5), 0.95)
        found += not lower <= 0 <= upper
    assert abs(found / trials - 0.8) < 4 * math.sqrt(0.8 * 0.2 / trials)


def test_what_cannot_be_significant_is_underpowered():
    assert statistics.underpowered(5, 0.05, 1)
    assert not statistics.underpowered(6, 0.05, 1)
    assert statistics.underpowered(6, 0.05, 2)
    # Holm over six tests at eight seeds: 6 * 2 / 256 = 0.047.
    assert not statistics.underpowered(8, 0.05, 6)
    assert statistics.underpowered(8, 0.05, 7)


ABOVE, AROUND, BELOW = (0.1, 0.3), (-0.1, 0.3), (-0.3, -0.1)


@pytest.mark.parametrize(
    ("p", "weak", "over_seeds", "over_both", "decision", "reasons"),
    [
        (0.05, False, ABOVE, ABOVE, "claimed", []),
        (0.01, False, BELOW, BELOW, "claimed", []),
        (0.051, False, ABOVE, ABOVE, "not claimed", ["the adjusted sign-flip p is above alpha"]),
        (0.01, False, AROUND, ABOVE, "not claimed", ["the t interval includes 0"]),
        (0.01, False, ABOVE, AROUND, "not claimed", ["the crossed bootstrap interval includes 0"]),
        (0.01, False, ABOVE, (0.0, 0.1), "not claimed", ["the crossed bootstrap interval includes 0"]),
        (0.01, False, (0.1, 0.1), ABOVE, "not claimed", ["the t interval has no width"]),
        (0.01, False, ABOVE, BELOW, "not claimed", ["the intervals lie on different sides of 0"]),
        (0.01, False, ABOVE, None, "not claimed", ["there is no crossed bootstrap interval"]),
        (0.01, False, None, ABOVE, "not claimed", ["there is no t interval"]),
        (
            0.2,
            True,
            ABOVE,
            ABOVE,
            "cannot be claimed: underpowered",
            ["the sign-flip test's floor is above alpha / m", "the adjusted sign-flip p is above alpha"],
        ),
    ],
)
def test_a_claim_needs_all_three(p, weak, over_seeds, over_both, decision, reasons):
    assert statistics.decide(p, 0.05, weak, over_seeds, over_both) == (decision, reasons)


def test_pairs_need_both():
    assert statistics.paired_differences({1: 3.0, 2: 5.0}, {2: 1.0, 1: 1.0}) == {1: 2.0, 2: 4.0}
    with pytest.raises(BadInput, match="baseline: no value for 2"):
        statistics.paired_differences({1: 3.0, 2: 5.0}, {1: 1.0}, ("monotonic", "baseline"))
    with pytest.raises(BadInput, match="monotonic: no value for 2"):
        statistics.paired_differences({1: 3.0}, {1: 1.0, 2: 5.0}, ("monotonic", "baseline"))


@pytest.mark.parametrize("broken", [[], [1.0, math.nan], [math.inf]])
@pytest.mark.parametrize("function", [statistics.mean, statistics.sd, statistics.sign_flip, statistics.effect_size])
def test_missing_and_nan_are_errors(function, broken):
    with pytest.raises(BadInput):
        function(broken)


def test_impossible_arguments_are_errors():
    with pytest.raises(BadInput, match="not between 0 and 1"):
        statistics.t_interval([1.0, 2.0], 95)
    with pytest.raises(BadInput, match="no tests"):
        statistics.holm({})
    with pytest.raises(BadInput, match="p of a is nan"):
        statistics.holm({"a": math.nan})
    with pytest.raises(BadInput, match="0 pairs"):
        statistics.sign_flip_floor(0)
    with pytest.raises(BadInput, match="one difference has no spread"):
        statistics.equivalence([1.0], 1.0, 0.05)
    with pytest.raises(BadInput, match=r"margin 0\.0 is not a positive number"):
        statistics.equivalence([1.0, 2.0], 0.0, 0.05)
    with pytest.raises(BadInput, match=r"alpha 0\.5 is not between"):
        statistics.equivalence([1.0, 2.0], 1.0, 0.5)
    with pytest.raises(BadInput, match="1 pairs have no spread"):
        statistics.power(1.0, 1, 0.05)
    with pytest.raises(BadInput, match="power: alpha 1 is not"):
        statistics.power(1.0, 5, 1)
    with pytest.raises(BadInput, match=r"power 0\.01 is not between alpha \(0\.05\) and 1"):
        statistics.minimum_detectable(5, 1.0, 0.05, 0.01)
