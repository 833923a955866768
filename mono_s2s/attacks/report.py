"""What an attack did, in the form of the result files: conditions, damage, rows. Shared by all attacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mono_s2s.corpus.reading import Example
from mono_s2s.evaluation import rouge
from mono_s2s.evaluation.outcome import Outcome
from mono_s2s.files import BadInput
from mono_s2s.scale import Success

HOTFLIP_COLUMNS = (
    "example_id",
    "model",
    "condition",
    "flips",
    "changes",
    *rouge.MEASURES,
    "nll_nats",
    "target_tokens",
    "prediction",
)
UAT_COLUMNS = (
    "example_id",
    "model",
    "condition",
    "trigger_source",
    *rouge.MEASURES,
    "nll_nats",
    "target_tokens",
    "prediction",
)
ROUGE_L = rouge.MEASURES.index("rougeL")

THREAT = {
    "knowledge": "white box: the attacker knows the weights and the reference summary, and raises the reference's loss",
    "protected": "task prefix, end of sequence, special, sentinel and unknown tokens, ids beyond the tokenizer",
    "example_loss": "negative log-likelihood of the first reference, nats",
    "random_search": "the same search with candidates drawn at random, at equal cost: a gradient (one forward and one "
    "backward pass, counted as two) is replaced by three more exact losses",
}


def condition(outcome: Outcome) -> dict[str, Any]:
    """A model's means under one condition; losses token-weighted, ROUGE over examples."""
    means = outcome.rouge.mean(axis=0)
    return {measure: float(value) for measure, value in zip(rouge.MEASURES, means, strict=True)} | {
        "nll_per_token": outcome.nll_per_token,
        "target_tokens": int(outcome.target_tokens.sum()),
    }


def _rates(thresholds: Sequence[float], reached: Sequence[np.ndarray]) -> list[dict[str, float]]:
    return [
        {"threshold": threshold, "rate": float(hits.mean())}
        for threshold, hits in zip(thresholds, reached, strict=True)
    ]


def damage(clean: Outcome, attacked: Outcome, success: Success) -> dict[str, Any]:
    """What a perturbation does to the same examples; larger is worse.

    The absolute loss change leads: the relative one divides by the clean loss, so a model that is worse to begin with
    looks more robust. An example counts as a success where its loss rises by at least the threshold times its clean
    loss, or where its ROUGE-L falls by at least the threshold.

    Raises:
        BadInput: the clean loss is zero, so that there is no relative change.
    """
    if not clean.nll_per_token > 0:
        raise BadInput("the clean loss is zero, so no attack has a relative effect: the references hold no information")
    rise = attacked.nll_nats - clean.nll_nats
    drop = clean.rouge[:, ROUGE_L] - attacked.rouge[:, ROUGE_L]
    delta = attacked.nll_per_token - clean.nll_per_token
    return {
        "delta_nll_per_token": delta,
        "relative_nll": delta / clean.nll_per_token,
        "delta_rougeL": condition(clean)["rougeL"] - condition(attacked)["rougeL"],
        "success_relative_nll": _rates(
            success.relative_nll,
            [(rise > 0) & (rise >= threshold * clean.nll_nats) for threshold in success.relative_nll],
        ),
        "success_rougeL_drop": _rates(success.rougeL_drop, [drop >= threshold for threshold in success.rougeL_drop]),
    }


def attacked(outcomes: dict[str, Outcome], spent: dict[str, tuple[int, int]], success: Success) -> dict[str, Any]:
    """The part of a model's entry that all attacks share.

    Args:
        outcomes: by condition, "clean" among them.
        spent: forward and backward passes of single examples by searched condition; nothing where left out.
        success: the declared thresholds.
    """
    perturbed = [name for name in outcomes if name != "clean"]
    return {
        "effort": {
            name: dict(zip(("forward", "backward"), spent.get(name, (0, 0)), strict=True)) for name in perturbed
        },
        "conditions": {name: condition(outcome) for name, outcome in outcomes.items()},
        "damage": {name: damage(outcomes["clean"], outcomes[name], success) for name in perturbed},
    }


def rows(
    outcome: Outcome, examples: Sequence[Example], model: str, name: str, details: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """One CSV row an example: identity, the attack's own columns (`details`), scores."""
    return [
        outcome.row(index) | {"example_id": example.example_id, "model": model, "condition": name} | detail
        for index, (example, detail) in enumerate(zip(examples, details, strict=True))
    ]
