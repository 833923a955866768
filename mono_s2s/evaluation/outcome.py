"""What one model does on a list of inputs: losses and, where it is to write, texts and ROUGE. Evaluation and attacks
measure alike, with this."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mono_s2s.corpus.reading import Encoding, Example
from mono_s2s.evaluation import generation, rouge
from mono_s2s.files import BadInput
from mono_s2s.models import losses
from mono_s2s.scale import Compute, Decoding, Scoring


@dataclass(frozen=True)
class Outcome:
    """The losses of one model on n inputs, in the given order."""

    # (n,) nats of the first reference, and how many tokens it has, an end of sequence included
    nll_nats: np.ndarray
    target_tokens: np.ndarray

    @property
    def nll_per_token(self) -> float:
        """Token-weighted: all nats over all tokens."""
        return float(self.nll_nats.sum() / self.target_tokens.sum())

    def means(self) -> dict[str, float | int]:
        """What all examples add up to: the loss token-weighted, and its tokens."""
        return {"nll_per_token": self.nll_per_token, "target_tokens": int(self.target_tokens.sum())}

    def row(self, index: int) -> dict[str, Any]:
        """What a CSV row says about one example."""
        return {"nll_nats": float(self.nll_nats[index]), "target_tokens": int(self.target_tokens[index])}


@dataclass(frozen=True)
class Summaries(Outcome):
    """The losses of one model, what it wrote and how good that is."""

    # n texts, and how many tokens each was written with
    predictions: list[str]
    prediction_tokens: list[int]
    # (n, 4), columns as in rouge.MEASURES, 0 to 1
    rouge: np.ndarray

    def means(self) -> dict[str, float | int]:
        """Beside the loss, the mean of each ROUGE measure over examples."""
        return self._named(self.rouge.mean(axis=0)) | super().means()

    def row(self, index: int) -> dict[str, Any]:
        """Beside the loss, the scores and the text."""
        return self._named(self.rouge[index]) | super().row(index) | {"prediction": self.predictions[index]}

    @staticmethod
    def _named(scores: np.ndarray) -> dict[str, float]:
        return {measure: float(value) for measure, value in zip(rouge.MEASURES, scores, strict=True)}


def full_precision(compute: Compute) -> Compute:
    """The same device and threads in fp32: losses are always reported in it, whatever they were searched with."""
    return compute.model_copy(update={"precision": "fp32"})


def measure(
    model: torch.nn.Module,
    inputs: Sequence[Sequence[int]],
    examples: Sequence[Example],
    decoding: Decoding | Scoring,
    encoding: Encoding,
    compute: Compute,
) -> Outcome:
    """Take the loss of each example's first reference; with a Decoding, also write summaries and score them.

    Args:
        model: in evaluation mode.
        inputs: n packed inputs, one an example: clean or attacked.
        examples: give the references; ROUGE uses all of them.
        decoding: its batch size is that of the losses, and if it is a Decoding, it says how summaries are written.
        encoding: special ids and the tokenizer.
        compute: device and precision; losses are in fp32 in any case.

    Returns:
        Summaries with a Decoding, a bare Outcome with a Scoring.

    Raises:
        BadInput: there are no inputs.
    """
    if not inputs:
        raise BadInput("nothing to evaluate: the split holds no example")
    nats, tokens = losses.nll(
        model,
        inputs,
        [example.reference_ids[0] for example in examples],
        encoding,
        full_precision(compute),
        decoding.batch_size,
    )
    if isinstance(decoding, Scoring):
        return Outcome(nats, tokens)
    written = generation.generate(model, inputs, decoding, encoding, compute)
    texts = [encoding.decode(ids) for ids in written]
    return Summaries(
        nats,
        tokens,
        predictions=texts,
        prediction_tokens=[len(ids) for ids in written],
        rouge=rouge.score(texts, [example.references for example in examples]),
    )


def limited(examples: Sequence[Example], limit: int | None) -> list[Example]:
    """All examples, or a fixed sample of `limit` of them, in their order.

    The sample is the examples whose ids have the smallest SHA-256: the same for every model and seed, a smaller limit
    takes a part of a larger one's, and unlike the first rows of a file it has no order in it.
    """
    if limit is None or limit >= len(examples):
        return list(examples)
    rank = sorted(examples, key=lambda example: hashlib.sha256(example.example_id.encode()).hexdigest())
    kept = {example.example_id for example in rank[:limit]}
    return [example for example in examples if example.example_id in kept]
