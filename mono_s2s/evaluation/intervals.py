"""Percentile bootstrap intervals over examples: of means, and of perplexities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

CONFIDENCE = 0.95
METHOD = "percentile bootstrap of the mean over examples; draws from the run's seed and the data set's name"
RATIO_METHOD = (
    "percentile bootstrap of exp(all nats / all tokens) over blocks; draws from the run's seed and the data set's name"
)


def _draws(n: int, width: int, resamples: int, random: np.random.Generator) -> Iterator[tuple[slice, np.ndarray]]:
    """The (resamples, n) table of drawn rows, some of it at a time: the same draws, in bounded memory.

    Args:
        n: rows to draw from, and to draw.
        width: numbers that a caller holds for each drawn row.
        resamples: how often.
        random: gives the draws; its state moves on.
    """
    step = max(1, 2**21 // (n * width))
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        yield slice(start, start + count), random.integers(0, n, (count, n))


def _interval(estimate: float, resampled: np.ndarray) -> dict[str, float]:
    """An estimate with the percentiles of its (resamples,) replicates."""
    tail = 100 * (1 - CONFIDENCE) / 2
    lower, upper = np.percentile(resampled, [tail, 100 - tail])
    return {"mean": float(estimate), "lower": float(lower), "upper": float(upper)}


def means(values: np.ndarray, resamples: int, random: np.random.Generator) -> list[dict[str, float]]:
    """Mean of each column with its 95% percentile interval over resampled rows (Efron, 1979).

    All columns share their resamples, and so do all models that are given generators of the same state. Equals
    `scipy.stats.bootstrap(..., method="percentile")` under the same generator; importing that costs a second.

    Args:
        values: (n examples, m measures).
        resamples: how often n rows are drawn with replacement.
        random: gives the draws; its state moves on.

    Returns:
        m dictionaries with mean, lower and upper.

    Raises:
        ValueError: no rows.
    """
    n, measures = values.shape
    if n == 0:
        raise ValueError("a mean over no examples")
    resampled = np.empty((resamples, measures))
    for some, drawn in _draws(n, measures, resamples, random):
        resampled[some] = values[drawn].mean(axis=1)
    return [_interval(values[:, column].mean(), resampled[:, column]) for column in range(measures)]


def perplexity(nats: np.ndarray, tokens: np.ndarray, resamples: int, random: np.random.Generator) -> dict[str, float]:
    """exp(all nats / all tokens) with its 95% percentile interval over resampled blocks.

    A ratio of sums: a block weighs as much as it has tokens, and blocks, not tokens, are drawn, since the tokens of a
    block depend on each other. Equals `scipy.stats.bootstrap(..., paired=True, method="percentile")` under the same
    generator, and models that are given generators of the same state share their draws.

    Args:
        nats: (n,) loss of each block.
        tokens: (n,) how many of its tokens are scored.
        resamples: how often n blocks are drawn with replacement.
        random: gives the draws; its state moves on.

    Returns:
        mean (the perplexity), lower and upper.

    Raises:
        ValueError: no blocks.
    """
    if len(nats) == 0:
        raise ValueError("a perplexity over no blocks")
    resampled = np.empty(resamples)
    for some, drawn in _draws(len(nats), 2, resamples, random):
        resampled[some] = np.exp(nats[drawn].sum(axis=1) / tokens[drawn].sum(axis=1))
    return _interval(np.exp(nats.sum() / tokens.sum()), resampled)
