import numpy as np
import pytest
from scipy import stats

from mono_s2s.evaluation import intervals


@pytest.mark.parametrize(("n", "resamples"), [(7, 1000), (128, 200), (3000, 1000)])
def test_equals_scipy(n, resamples):
    """The same draws, so the same interval to the last digits; also where the draws are made piece by piece."""
    values = np.random.default_rng(1).beta(2, 3, size=n)
    (found,) = intervals.means(values[:, None], resamples, np.random.default_rng(5))
    wanted = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        confidence_level=intervals.CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert found["mean"] == pytest.approx(values.mean(), rel=1e-12)
    assert (found["lower"], found["upper"]) == pytest.approx((wanted.low, wanted.high), rel=1e-12)


@pytest.mark.parametrize(("n", "resamples"), [(7, 1000), (3000, 1000)])
def test_a_perplexity_equals_scipy(n, resamples):
    """Pairs of nats and tokens are drawn together; a ratio of sums, not a mean of ratios."""
    random = np.random.default_rng(1)
    tokens = random.integers(1, 30, size=n)
    nats = random.gamma(2, size=n) * tokens

    def of(some, other, axis):
        return np.exp(some.sum(axis=axis) / other.sum(axis=axis))

    found = intervals.perplexity(nats, tokens, resamples, np.random.default_rng(5))
    wanted = stats.bootstrap(
        (nats, tokens),
        of,
        paired=True,
        n_resamples=resamples,
        confidence_level=intervals.CONFIDENCE,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert found["mean"] == pytest.approx(of(nats, tokens, 0), rel=1e-12)
    assert (found["lower"], found["upper"]) == pytest.approx((wanted.low, wanted.high), rel=1e-12)
    assert found["lower"] < found["mean"] < found["upper"]
    with pytest.raises(ValueError, match="no blocks"):
        intervals.perplexity(nats[:0], tokens[:0], 10, random)


def test_columns_share_their_resamples():
    values = np.random.default_rng(1).normal(size=40)
    one, other = intervals.means(np.stack([values, 2 * values + 1], axis=1), 300, np.random.default_rng(0))
    for key in ("mean", "lower", "upper"):
        assert other[key] == pytest.approx(2 * one[key] + 1)
    assert one["lower"] < one["mean"] < one["upper"]


def test_equal_values_have_an_interval_of_no_width():
    (found,) = intervals.means(np.full((5, 1), 0.25), 50, np.random.default_rng(0))
    assert found == {"mean": 0.25, "lower": 0.25, "upper": 0.25}


def test_no_values_are_an_error():
    with pytest.raises(ValueError, match="no examples"):
        intervals.means(np.zeros((0, 1)), 10, np.random.default_rng(0))
