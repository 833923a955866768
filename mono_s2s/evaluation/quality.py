"""The evaluation of summarizing models on one test set, beside reference points that cost nothing.

`perplexity` offers the same functions for language models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mono_s2s import seeds
from mono_s2s.corpus.reading import Encoding, Example
from mono_s2s.evaluation import generation, intervals, lengths, rouge
from mono_s2s.evaluation.outcome import Summaries
from mono_s2s.files import BadInput
from mono_s2s.scale import Evaluate

EXAMPLE_COLUMNS = (
    "dataset",
    "example_id",
    "model",
    *rouge.MEASURES,
    "nll_nats",
    "target_tokens",
    "prediction_tokens",
    "reference_tokens",
    "prediction",
)
POINT_COLUMNS = ("dataset", "example_id", "point", *rouge.MEASURES)


def facts(settings: Evaluate) -> dict[str, Any]:
    """What the result file records about how its numbers came about."""
    return {
        "decoding": generation.settings(settings.decoding),
        "rouge": rouge.SETTINGS
        | {"interval": intervals.METHOD, "confidence": intervals.CONFIDENCE, "resamples": settings.resamples}
        | {"limit": settings.limit},
    }


def background(train: Callable[[], Sequence[Example]], encoding: Encoding) -> None:
    """What reference points know of the training text: nothing."""


def multiple_choice(models: Mapping[str, torch.nn.Module], data: Path, settings: Evaluate) -> dict[str, Any]:
    """Summarizing models are asked no such questions."""
    return {}


def rouge_means(scores: np.ndarray, resamples: int, seed: int, dataset: str) -> dict[str, Any]:
    """Mean and interval of each measure over (n, 4) scores.

    The draws depend on seed and data set alone, so all models and reference points are resampled alike.
    """
    found = intervals.means(scores, resamples, seeds.generator(seed, "intervals", dataset))
    return dict(zip(rouge.MEASURES, found, strict=True))


def reference_tokens(examples: Sequence[Example]) -> list[int]:
    """Tokens of each first reference without the end of sequence."""
    return [len(example.reference_ids[0]) - 1 for example in examples]


def reference_points(examples: Sequence[Example], known: None = None) -> dict[str, np.ndarray]:
    """ROUGE (n, 4) of what needs no model.

    lead_1 is the document's first sentence (a dialogue's first turn). other_summary is another document's first
    reference: example i gets that of example i + n // 2 (counted round), a fixed derangement; what it scores is what
    the references have in common, and no sign that a model has read the document.

    Raises:
        BadInput: fewer than two examples: there is no other document.
    """
    n = len(examples)
    if n < 2:
        raise BadInput("a test set of one example has no other document's summary: evaluate at least two")
    references = [example.references for example in examples]
    others = [examples[(index + n // 2) % n].references[0] for index in range(n)]
    return {
        "lead_1": rouge.score([rouge.lead(example.document) for example in examples], references),
        "other_summary": rouge.score(others, references),
    }


def model_quality(
    outcome: Summaries, examples: Sequence[Example], resamples: int, seed: int, dataset: str
) -> dict[str, Any]:
    """The result file's entry for one model on one test set."""
    references = reference_tokens(examples)
    ratio = lengths.ratio(outcome.prediction_tokens, references)
    return {
        "rouge": rouge_means(outcome.rouge, resamples, seed, dataset),
        "nll_per_token": outcome.nll_per_token,
        "target_tokens": int(outcome.target_tokens.sum()),
        "prediction_lengths": lengths.describe(outcome.prediction_tokens),
        "reference_lengths": lengths.describe(references),
        "length_ratio": ratio,
        "brevity_penalty": lengths.brevity_penalty(ratio),
    }


def summary(
    outcomes: Mapping[str, Summaries],
    points: Mapping[str, np.ndarray],
    examples: Sequence[Example],
    resamples: int,
    seed: int,
    dataset: str,
) -> dict[str, Any]:
    """The result file's entry for one test set: every model, every reference point."""
    return {
        "n": len(examples),
        "models": {
            name: model_quality(outcome, examples, resamples, seed, dataset) for name, outcome in outcomes.items()
        },
        "reference_points": {name: rouge_means(scores, resamples, seed, dataset) for name, scores in points.items()},
    }


def example_rows(outcomes: Mapping[str, Summaries], examples: Sequence[Example], dataset: str) -> list[dict[str, Any]]:
    """One row a model and example, columns as in EXAMPLE_COLUMNS."""
    references = reference_tokens(examples)
    return [
        outcome.row(index)
        | {
            "dataset": dataset,
            "example_id": example.example_id,
            "model": name,
            "prediction_tokens": outcome.prediction_tokens[index],
            "reference_tokens": references[index],
        }
        for name, outcome in outcomes.items()
        for index, example in enumerate(examples)
    ]


def point_rows(points: Mapping[str, np.ndarray], examples: Sequence[Example], dataset: str) -> list[dict[str, Any]]:
    """One row a reference point and example, columns as in POINT_COLUMNS."""
    return [
        {"dataset": dataset, "example_id": example.example_id, "point": name}
        | {measure: float(value) for measure, value in zip(rouge.MEASURES, scores[index], strict=True)}
        for name, scores in points.items()
        for index, example in enumerate(examples)
    ]
