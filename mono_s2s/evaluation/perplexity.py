"""The evaluation of language models on one test set: perplexity, beside a reference point that knows no context.

The functions are those of `quality`, which does the same for models that summarize.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mono_s2s import seeds
from mono_s2s.corpus.reading import Encoding, Example
from mono_s2s.evaluation import intervals
from mono_s2s.evaluation import multiple_choice as harness
from mono_s2s.evaluation.outcome import Outcome
from mono_s2s.files import BadInput
from mono_s2s.scale import EvaluateText

EXAMPLE_COLUMNS = ("dataset", "example_id", "model", "nll_nats", "target_tokens")
POINT_COLUMNS = ("dataset", "example_id", "point", "nll_nats", "target_tokens")


def facts(settings: EvaluateText) -> dict[str, Any]:
    """What the result file records about how its numbers came about."""
    return {
        "scoring": {
            **settings.decoding.model_dump(),
            "interval": intervals.RATIO_METHOD,
            "confidence": intervals.CONFIDENCE,
            "resamples": settings.resamples,
            "limit": settings.limit,
        }
    }


def background(train: Callable[[], Sequence[Example]], encoding: Encoding) -> np.ndarray:
    """(vocabulary,) nats that each token costs under its frequency in the training text, one added to every count.

    Source: Laplace's rule; see Jurafsky and Martin, "Speech and language processing", section on smoothing.

    Raises:
        BadInput: the training text holds an id that the tokenizer does not have.
    """
    ids = np.array([token for example in train() for token in example.reference_ids[0]], dtype=np.int64)
    if ids.size and ids.max() >= encoding.vocabulary:
        raise BadInput(f"train.jsonl: token {ids.max()} of {encoding.vocabulary}: run stage corpus again")
    counts = np.bincount(ids, minlength=encoding.vocabulary) + 1
    return np.log(counts.sum()) - np.log(counts)


def reference_points(examples: Sequence[Example], known: np.ndarray) -> dict[str, Outcome]:
    """The loss of what needs no model: `unigram` gives each token its frequency in training, whatever stands before.

    Args:
        examples: n blocks.
        known: `background`.
    """
    nats = [float(known[list(example.reference_ids[0])].sum()) for example in examples]
    return {"unigram": Outcome(np.array(nats), np.array([len(example.reference_ids[0]) for example in examples]))}


def multiple_choice(models: Mapping[str, torch.nn.Module], data: Path, settings: EvaluateText) -> dict[str, Any]:
    """The result file's entry on multiple-choice tasks: null where the scale asks for none."""
    wanted = settings.multiple_choice
    return {"multiple_choice": None if wanted is None else harness.accuracies(models, data, wanted)}


def model_quality(outcome: Outcome, resamples: int, seed: int, dataset: str) -> dict[str, Any]:
    """The result file's entry for one model on one test set.

    The draws depend on seed and data set alone, so all models and reference points are resampled alike.
    """
    return outcome.means() | point_quality(outcome, resamples, seed, dataset)


def point_quality(outcome: Outcome, resamples: int, seed: int, dataset: str) -> dict[str, Any]:
    """The result file's entry for one reference point on one test set."""
    random = seeds.generator(seed, "intervals", dataset)
    return {"perplexity": intervals.perplexity(outcome.nll_nats, outcome.target_tokens, resamples, random)}


def summary(
    outcomes: Mapping[str, Outcome],
    points: Mapping[str, Outcome],
    examples: Sequence[Example],
    resamples: int,
    seed: int,
    dataset: str,
) -> dict[str, Any]:
    """The result file's entry for one test set: every model, every reference point."""
    return {
        "n": len(examples),
        "models": {name: model_quality(outcome, resamples, seed, dataset) for name, outcome in outcomes.items()},
        "reference_points": {
            name: point_quality(outcome, resamples, seed, dataset) for name, outcome in points.items()
        },
    }


def example_rows(outcomes: Mapping[str, Outcome], examples: Sequence[Example], dataset: str) -> list[dict[str, Any]]:
    """One row a model and block, columns as in EXAMPLE_COLUMNS."""
    return _rows(outcomes, examples, dataset, "model")


def point_rows(points: Mapping[str, Outcome], examples: Sequence[Example], dataset: str) -> list[dict[str, Any]]:
    """One row a reference point and block, columns as in POINT_COLUMNS."""
    return _rows(points, examples, dataset, "point")


def _rows(
    outcomes: Mapping[str, Outcome], examples: Sequence[Example], dataset: str, kind: str
) -> list[dict[str, Any]]:
    return [
        outcome.row(index) | {"dataset": dataset, "example_id": example.example_id, kind: name}
        for name, outcome in outcomes.items()
        for index, example in enumerate(examples)
    ]
