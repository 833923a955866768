"""Seeds x examples: against enumeration, published values, scipy and simulation."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from mono_s2s import statistics
from mono_s2s.files import BadInput
from mono_s2s.statistics import Paired, Sums

# Four judges (as seeds) of six targets (as examples): table 2 of Shrout and Fleiss 1979, Psychological Bulletin 86.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
).T


def paired(values, contrast="difference", strata=None):
    """Pairs whose control is zero everywhere, so that the values are the differences."""
    values = np.asarray(values, dtype=float)
    ones = np.ones_like(values)
    strata = np.zeros(values.shape[1], dtype=int) if strata is None else np.asarray(strata)
    return Paired(Sums(values, ones), Sums(0 * values, ones), contrast, strata)


def ratios(seed, seeds=4, examples=30, contrast="difference"):
    """Token-weighted losses, as two models have them."""
    random = np.random.default_rng(seed)
    tokens = np.broadcast_to(random.integers(5, 40, examples).astype(float), (seeds, examples))
    arms = [Sums(tokens * random.gamma(2.0, level, (seeds, examples)), tokens) for level in (0.6, 0.5)]
    return Paired(*arms, contrast, np.zeros(examples, dtype=int))


def value(arm, seed, examples):
    """A model's metric over the examples that are listed, as often as they are."""
    return arm.numerator[seed, examples].sum() / arm.denominator[seed, examples].sum()


def test_each_seed_by_hand():
    found = ratios(1)
    everything = np.arange(30)
    by_hand = [(value(found.treatment, seed, everything), value(found.control, seed, everything)) for seed in range(4)]
    assert statistics.per_seed(found) == pytest.approx([t - c for t, c in by_hand])
    exponentials = ratios(1, contrast="difference of exponentials")
    assert statistics.per_seed(exponentials) == pytest.approx([math.exp(t) - math.exp(c) for t, c in by_hand])
    quotients = ratios(1, contrast="ratio of exponentials, minus 1")
    assert statistics.per_seed(quotients) == pytest.approx([math.exp(t) / math.exp(c) - 1 for t, c in by_hand])


@pytest.mark.parametrize("contrast", ["difference", "difference of exponentials", "ratio of exponentials, minus 1"])
def test_the_bootstrap_by_enumeration(contrast):
    """Two seeds and three examples have 4 x 27 equally likely resamples."""
    pairs = ratios(2, seeds=2, examples=3, contrast=contrast)
    form = {
        "difference": lambda t, c: t - c,
        "difference of exponentials": lambda t, c: math.exp(t) - math.exp(c),
        "ratio of exponentials, minus 1": lambda t, c: math.exp(t - c) - 1,
    }[contrast]
    exact = sorted(
        np.mean([form(value(pairs.treatment, s, list(drawn)), value(pairs.control, s, list(drawn))) for s in some])
        for some in itertools.product(range(2), repeat=2)
        for drawn in itertools.product(range(3), repeat=3)
    )
    draws = 40000
    found = np.sort(statistics.crossed_replicates(pairs, draws, np.random.default_rng(4)))
    # Every resample that can be is seen, none other, and each as often as it should be.
    places = np.searchsorted(exact, found - 1e-9)
    assert exact[0] == pytest.approx(found[0])
    assert exact[-1] == pytest.approx(found[-1])
    assert np.abs(np.array(exact)[np.minimum(places, 107)] - found).max() < 1e-9
    assert found.mean() == pytest.approx(np.mean(exact), abs=5 * np.std(exact) / math.sqrt(draws))
    assert found.std() == pytest.approx(np.std(exact), rel=0.03)


def test_the_bootstraps_variance_is_owens():
    """Owen (2007): of a crossed mean, what rows, columns and both together contribute."""
    random = np.random.default_rng(6)
    values = random.normal(size=(5, 1)) + random.normal(size=(1, 40)) + random.normal(size=(5, 40))
    rows, columns, center = values.mean(1, keepdims=True), values.mean(0, keepdims=True), values.mean()
    exact = (
        ((rows - center) ** 2).sum() / 5**2
        + ((columns - center) ** 2).sum() / 40**2
        + ((values - rows - columns + center) ** 2).sum() / (5 * 40) ** 2
    )
    draws = 40000
    found = statistics.crossed_replicates(paired(values), draws, random)
    assert found.var() == pytest.approx(exact, rel=6 * math.sqrt(2 / draws))


def test_one_seed_is_scipys_bootstrap_of_examples():
    values = np.random.default_rng(8).normal(size=(1, 50))
    exact = stats.bootstrap((values[0],), np.mean, n_resamples=40000, method="percentile", rng=1).confidence_interval
    found = statistics.crossed_interval(paired(values), 0.95, 40000, np.random.default_rng(2))
    assert found == pytest.approx((exact.low, exact.high), abs=0.01)


def test_examples_are_drawn_inside_their_test_set():
    """Two sets that differ in level and in nothing else have nothing to vary."""
    values = np.repeat([[1.0, 3.0]], 4, axis=0).repeat(5, axis=1)
    inside = paired(values, strata=[0] * 5 + [1] * 5)
    assert statistics.crossed_interval(inside, 0.95, 200, np.random.default_rng(0)) == (2.0, 2.0)
    lower, upper = statistics.crossed_interval(paired(values), 0.95, 200, np.random.default_rng(0))
    assert lower < 1.8 < 2.2 < upper


def test_the_same_draws_give_the_same_bytes_in_any_order_of_additions():
    """Sums are exact, so a processor that adds in another order gives the same interval."""
    pairs = ratios(3, seeds=5, examples=200)
    first = statistics.crossed_replicates(pairs, 50, np.random.default_rng(9))
    random = np.random.default_rng(9)
    of_seeds = [np.bincount(draw, minlength=5) for draw in random.integers(0, 5, (50, 5))]
    of_examples = [np.bincount(draw, minlength=200) for draw in random.integers(0, 200, (50, 200))]

    def exact(part, weights):
        """The sum in rational arithmetic, of values on the grid that `crossed` rounds to."""
        bound = np.abs(part).max() * 200
        step = 2.0 ** (math.frexp(bound)[1] - 52)
        return [
            float(sum(Fraction(round(v / step)) * int(w) for v, w in zip(row, weights, strict=True)) * Fraction(step))
            for row in part
        ]

    arms = (pairs.treatment, pairs.control)
    for found, seeds, weights in zip(first[:10], of_seeds, of_examples, strict=False):
        one, other = (
            [n / d for n, d in zip(exact(arm.numerator, weights), exact(arm.denominator, weights), strict=True)]
            for arm in arms
        )
        total = 0.0
        for seed in range(5):
            total += float(seeds[seed]) * (one[seed] - other[seed])
        assert found == total / 5


def test_many_examples_are_drawn_in_blocks(monkeypatch):
    pairs = ratios(5)
    whole = statistics.crossed_replicates(pairs, 100, np.random.default_rng(1))
    monkeypatch.setattr("mono_s2s.statistics.crossed._BLOCK", 30 * 7)
    assert np.array_equal(statistics.crossed_replicates(pairs, 100, np.random.default_rng(1)), whole)


def test_variance_components_are_the_published_ones():
    # Between targets 11.24, between judges 32.49, residual 1.02 (their table 3); solved for the components.
    found = statistics.variance_components(SHROUT_FLEISS)
    assert found.residual == pytest.approx(1.02, abs=0.005)
    assert found.seed == pytest.approx((32.49 - 1.02) / 6, abs=0.005)
    assert found.example == pytest.approx((11.24 - 1.02) / 4, abs=0.005)
    # ICC(2, 1) of their table 4 follows from them: .29.
    assert found.example / (found.example + found.seed + found.residual) == pytest.approx(0.29, abs=0.005)
    assert found.seed_share + found.example_share + found.residual_share == pytest.approx(1)
    assert found.seed_share / found.residual_share == pytest.approx(found.seed * 6 / found.residual)


def test_variance_components_that_cannot_be():
    assert statistics.variance_components(np.ones((1, 5))) is None
    assert statistics.variance_components(np.ones((5, 1))) is None
    nothing = statistics.variance_components(np.ones((3, 4)))
    assert (nothing.seed, nothing.example, nothing.residual, nothing.seed_share) == (0.0, 0.0, 0.0, None)
    # Seeds that agree better than by chance: the estimate would be negative.
    assert statistics.variance_components(np.array([[0.0, 2.0], [2.0, 0.0]])).seed == 0.0
    with pytest.raises(BadInput, match="not a finite value"):
        statistics.variance_components(np.array([[0.0, math.nan], [2.0, 0.0]]))


@pytest.mark.parametrize("contrast", ["difference", "difference of exponentials", "ratio of exponentials, minus 1"])
def test_contributions_add_up_and_are_the_slopes(contrast):
    """Their mean is the seed's contrast, and each is what the contrast loses when the example weighs a little less."""
    pairs = ratios(7, seeds=3, examples=20, contrast=contrast)
    found = statistics.contributions(pairs)
    whole = statistics.per_seed(pairs)
    assert found.mean(axis=1) == pytest.approx(whole)
    for example in (0, 11):
        weights = np.ones(20)
        weights[example] += 1e-6
        arms = [Sums(arm.numerator * weights, arm.denominator * weights) for arm in (pairs.treatment, pairs.control)]
        slope = (statistics.per_seed(Paired(*arms, contrast, pairs.strata)) - whole) / 1e-6
        assert found[:, example] - whole == pytest.approx(20 * slope, rel=1e-3, abs=1e-6)


def test_contributions_of_means_are_the_differences():
    assert statistics.contributions(paired(SHROUT_FLEISS)) == pytest.approx(SHROUT_FLEISS)


def test_examples_won_tied_and_lost():
    ones = np.ones((2, 3))
    ours, theirs = np.array([[1.0, 2.0, 3.0], [0.0, 5.0, 5.0]]), np.array([[1.0, 1.0, 4.0], [0.0, 4.0, 4.0]])
    pairs = Paired(Sums(ours, ones), Sums(theirs, ones), "difference", np.zeros(3, dtype=int))
    assert statistics.example_tally(pairs, "higher") == statistics.Tally(win=3, tie=2, loss=1)
    assert statistics.example_tally(pairs, "lower") == statistics.Tally(win=1, tie=2, loss=3)
    # Ratios, not sums, are compared: 2 of 4 is less than 3 of 5.
    half, more = Sums(np.array([[2.0]]), np.array([[4.0]])), Sums(np.array([[3.0]]), np.array([[5.0]]))
    assert statistics.example_tally(Paired(half, more, "difference", np.zeros(1)), "lower").win == 1


def test_pairs_that_are_none_are_refused():
    values, ones = np.ones((2, 3)), np.ones((2, 3))
    good = Sums(values, ones)
    for arms, strata, message in (
        ((good, Sums(np.ones((2, 4)), np.ones((2, 4)))), np.zeros(3), "are not of pairs"),
        ((Sums(np.ones((0, 3)), np.ones((0, 3))),) * 2, np.zeros(3), "are not of pairs"),
        ((good, good), np.zeros(4), "strata for 3 examples"),
        ((good, Sums(values * math.nan, ones)), np.zeros(3), "NaN or infinite"),
        ((good, Sums(values, -ones)), np.zeros(3), "a denominator is negative"),
    ):
        with pytest.raises(BadInput, match=message):
            Paired(*arms, "difference", strata)
    nothing = Paired(good, Sums(values, 0 * ones), "difference", np.zeros(3))
    for refuse in (
        lambda: statistics.per_seed(nothing),
        lambda: statistics.crossed_interval(nothing, 0.95, 10, np.random.default_rng(0)),
        lambda: statistics.per_seed(paired(values * 1000, "difference of exponentials")),
    ):
        with pytest.raises(BadInput, match="no such metric"):
            refuse()
    with pytest.raises(BadInput, match="confidence: 95 is not"):
        statistics.crossed_interval(paired(values), 95, 10, np.random.default_rng(0))


def crossed_values(random, seeds, examples, seed_sd=1.0, example_sd=1.0, residual_sd=1.0):
    """A mean of zero over a population of seeds and examples."""
    return (
        random.normal(0, seed_sd, (seeds, 1))
        + random.normal(0, example_sd, (1, examples))
        + random.normal(0, residual_sd, (seeds, examples))
    )


def test_variance_components_are_unbiased():
    random = np.random.default_rng(31)
    found = [statistics.variance_components(crossed_values(random, 6, 12, 2.0, 1.5, 1.0)) for _ in range(400)]
    for name, truth in (("seed", 4.0), ("example", 2.25), ("residual", 1.0)):
        own = [getattr(one, name) for one in found]
        assert np.mean(own) == pytest.approx(truth, abs=4 * np.std(own) / math.sqrt(len(own))), name


@pytest.mark.parametrize(
    ("seeds", "examples", "spreads", "least", "most"),
    [
        # Examples vary most, as where a metric is noisy: near what it says.
        (5, 100, (0.05, 1.0, 1.0), 0.93, 0.99),
        # Both sources weigh the same in the mean: a little too narrow.
        (5, 100, (0.22, 1.0, 1.0), 0.89, 0.97),
        # Seeds alone vary: the percentile bootstrap of five values, as documented.
        (5, 100, (1.0, 0.1, 0.1), 0.82, 0.91),
        (25, 100, (0.2, 1.0, 1.0), 0.92, 0.98),
    ],
)
def test_the_crossed_interval_covers_as_documented(seeds, examples, spreads, least, most):
    random = np.random.default_rng(41)
    trials = 500
    hits = 0
    for _ in range(trials):
        values = paired(crossed_values(random, seeds, examples, *spreads))
        lower, upper = statistics.crossed_interval(values, 0.95, 500, random)
        hits += lower <= 0 <= upper
    assert least <= hits / trials <= most


def claims(random, seeds, effect, family, fixed=False):
    """Decisions on a family of metrics of the same seeds and examples; `fixed`: of these examples none differ."""
    shared = crossed_values(random, seeds, 60, 0.1, 0.5, 0.5)
    values = [shared + crossed_values(random, seeds, 60, 0.1, 0.5, 0.5) + effect for _ in range(family)]
    if fixed:
        # New seeds on these very examples, in none of which the arms differ on average.
        values = [random.normal(0, 0.1, (seeds, 1)) + random.normal(0, 0.5, (seeds, 60)) for _ in range(family)]
    differences = [statistics.per_seed(paired(own)).tolist() for own in values]
    adjusted = statistics.holm(dict(enumerate(map(statistics.sign_flip, differences))))
    return [
        statistics.decide(
            adjusted[place],
            0.05,
            statistics.underpowered(seeds, 0.05, family),
            statistics.t_interval(own, 0.95),
            statistics.crossed_interval(paired(values[place]), 0.95, 400, random),
        )[0]
        for place, own in enumerate(differences)
    ]


@pytest.mark.parametrize(("family", "fixed"), [(3, True), (1, False)])
def test_the_rule_claims_nothing_too_often(family, fixed):
    """Any false claim in at most 5 % of families over new seeds, and of single tests over new examples too."""
    random = np.random.default_rng(43)
    trials = 400
    false = sum("claimed" in claims(random, 8, 0.0, family, fixed) for _ in range(trials))
    assert false / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_the_rule_finds_what_is_there():
    random = np.random.default_rng(44)
    found = [decision for _ in range(100) for decision in claims(random, 8, 1.0, 3)]
    assert found.count("claimed") / len(found) > 0.9


def test_five_seeds_claim_nothing_however_large_the_effect():
    decisions = claims(np.random.default_rng(47), 5, 100.0, 3)
    assert set(decisions) == {"cannot be claimed: underpowered"}
