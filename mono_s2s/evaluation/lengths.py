"""How long predictions and references are, in tokens without special tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mono_s2s.files import BadInput


def describe(lengths: Sequence[int]) -> dict[str, Any]:
    """Mean, standard deviation (ddof=1), median, minimum, maximum and total of (n,) lengths.

    Raises:
        BadInput: fewer than two lengths, which have no standard deviation.
    """
    values = np.asarray(lengths, dtype=np.int64)
    if len(values) < 2:
        raise BadInput(f"lengths of {len(values)} texts have no standard deviation: evaluate at least two examples")
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
        "median": float(np.median(values)),
        "minimum": int(values.min()),
        "maximum": int(values.max()),
        "total": int(values.sum()),
    }


def ratio(predictions: Sequence[int], references: Sequence[int]) -> float:
    """Total length of the predictions over total length of the references.

    Raises:
        BadInput: the references are empty.
    """
    total = int(np.sum(references))
    if total == 0:
        raise BadInput("the references have no tokens: look at the test set's references")
    return int(np.sum(predictions)) / total


def brevity_penalty(length_ratio: float) -> float:
    """1 where predictions are at least as long as references, else exp(1 - 1 / ratio); 0 for no predictions at all.

    Source: Papineni et al., 2002, "BLEU", section 2.2.2, with total lengths.
    """
    if length_ratio >= 1:
        return 1.0
    return math.exp(1 - 1 / length_ratio) if length_ratio > 0 else 0.0
