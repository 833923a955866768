"""Percentile bootstrap intervals of means over examples."""

from __future__ import annotations

import numpy as np

CONFIDENCE = 0.95
METHOD = "percentile bootstrap of the mean over examples; draws from the run's seed and the data set's name"


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
    # Some rows of the (resamples, n) table at a time: the same draws, in bounded memory.
    step = max(1, 2**21 // (n * measures))
    for start in range(0, resamples, step):
        drawn = random.integers(0, n, (min(step, resamples - start), n))
        resampled[start : start + len(drawn)] = values[drawn].mean(axis=1)
    tail = 100 * (1 - CONFIDENCE) / 2
    lower, upper = np.percentile(resampled, [tail, 100 - tail], axis=0)
    return [
        {"mean": float(values[:, column].mean()), "lower": float(lower[column]), "upper": float(upper[column])}
        for column in range(measures)
    ]
