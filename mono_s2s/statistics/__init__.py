"""Seeds compared: the unit is the training run.

Pure functions of numbers that others have read. Whatever is missing, NaN or of unequal length is an error: a comparison
that could not be made must never read as "no difference".
"""

from mono_s2s.statistics.crossed import (
    Contrast,
    Paired,
    Sums,
    Variance,
    contributions,
    crossed_interval,
    crossed_replicates,
    example_tally,
    per_seed,
    variance_components,
)
from mono_s2s.statistics.describing import (
    Tally,
    effect_size,
    mean,
    paired_differences,
    probability_of_improvement,
    sd,
    t_interval,
    tally,
)
from mono_s2s.statistics.testing import (
    MOST_ENUMERATED,
    Decision,
    Equivalence,
    decide,
    equivalence,
    holm,
    minimum_detectable,
    power,
    sign_flip,
    sign_flip_floor,
    underpowered,
)

__all__ = [
    "MOST_ENUMERATED",
    "Contrast",
    "Decision",
    "Equivalence",
    "Paired",
    "Sums",
    "Tally",
    "Variance",
    "contributions",
    "crossed_interval",
    "crossed_replicates",
    "decide",
    "effect_size",
    "equivalence",
    "example_tally",
    "holm",
    "mean",
    "minimum_detectable",
    "paired_differences",
    "per_seed",
    "power",
    "probability_of_improvement",
    "sd",
    "sign_flip",
    "sign_flip_floor",
    "t_interval",
    "tally",
    "underpowered",
    "variance_components",
]
