"""What an attack did, in the form of the result files: conditions, damage, rows. Shared by all attacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mono_s2s.corpus.reading import Example
from mono_s2s.evaluation import generation, rouge
from mono_s2s.evaluation.outcome import Outcome
from mono_s2s.files import BadInput
from mono_s2s.scale import Decoding, Scoring, Success, SuccessText

ROUGE_L = rouge.MEASURES.index("rougeL")

# What each attack says of an example, and what each study (scale.TASKS) measures on it beside losses.
DETAILS = {"hotflip": ("flips", "changes"), "uat": ("trigger_source",)}
SCORES = {"summarization": rouge.MEASURES, "language modelling": ()}
TEXTS = {"summarization": ("prediction",), "language modelling": ()}

_RANDOM_SEARCH = (
    "the same search with candidates drawn at random, at equal cost: a gradient (one forward and one "
    "backward pass, counted as two) is replaced by three more exact losses"
)
THREAT = {
    "summarization": {
        "knowledge": "white box: the attacker knows the weights and the reference summary, and raises the reference's "
        "loss",
        "protected": "task prefix, end of sequence, special, sentinel and unknown tokens, ids beyond the tokenizer",
        "example_loss": "negative log-likelihood of the first reference, nats",
        "random_search": _RANDOM_SEARCH,
    },
    "language modelling": {
        "knowledge": "white box: the attacker knows the weights and the continuation, writes into the context, and "
        "raises the continuation's loss",
        "protected": "start token, special and unknown tokens, ids beyond the tokenizer, and the continuation itself: "
        "no token that is scored was written by the attack",
        "example_loss": "negative log-likelihood of the continuation, nats",
        "random_search": _RANDOM_SEARCH,
    },
}


def task(decoding: Decoding | Scoring) -> str:
    """What models do that are measured so, in the words of scale.TASKS."""
    return "language modelling" if isinstance(decoding, Scoring) else "summarization"


def columns(attack: str, of_task: str) -> tuple[str, ...]:
    """The columns of an attack's examples.csv.

    Args:
        attack: hotflip or uat.
        of_task: a value of scale.TASKS.
    """
    return (
        *("example_id", "model", "condition", *DETAILS[attack], *SCORES[of_task]),
        *("nll_nats", "target_tokens", *TEXTS[of_task]),
    )


def facts(decoding: Decoding | Scoring) -> dict[str, Any]:
    """What the result file's `attack` says of any attack: the threat model, and how clean and attacked are measured."""
    if isinstance(decoding, Scoring):
        return THREAT[task(decoding)] | {"scoring": decoding.model_dump()}
    return THREAT[task(decoding)] | {"decoding": generation.settings(decoding)}


def _rates(thresholds: Sequence[float], reached: Sequence[np.ndarray]) -> list[dict[str, float]]:
    return [
        {"threshold": threshold, "rate": float(hits.mean())}
        for threshold, hits in zip(thresholds, reached, strict=True)
    ]


def damage(clean: Outcome, attacked: Outcome, success: Success | SuccessText) -> dict[str, Any]:
    """What a perturbation does to the same examples; larger is worse.

    The absolute loss change leads: the relative one divides by the clean loss, so a model that is worse to begin with
    looks more robust. An example counts as a success where its loss rises by at least the threshold times its clean
    loss; where its ROUGE-L falls by at least the threshold; or, if nothing is written, where its loss rises by at least
    the threshold in nats per token.

    Raises:
        BadInput: the clean loss is zero, so that there is no relative change.
    """
    if not clean.nll_per_token > 0:
        raise BadInput("the clean loss is zero, so no attack has a relative effect: the references hold no information")
    rise = attacked.nll_nats - clean.nll_nats
    delta = attacked.nll_per_token - clean.nll_per_token
    found = {
        "delta_nll_per_token": delta,
        "relative_nll": delta / clean.nll_per_token,
        "success_relative_nll": _rates(
            success.relative_nll,
            [(rise > 0) & (rise >= threshold * clean.nll_nats) for threshold in success.relative_nll],
        ),
    }
    if isinstance(success, SuccessText):
        reached = [rise / clean.target_tokens >= threshold for threshold in success.absolute_nll]
        return found | {"success_absolute_nll": _rates(success.absolute_nll, reached)}
    drop = clean.rouge[:, ROUGE_L] - attacked.rouge[:, ROUGE_L]
    return found | {
        "delta_rougeL": clean.means()["rougeL"] - attacked.means()["rougeL"],
        "success_rougeL_drop": _rates(success.rougeL_drop, [drop >= threshold for threshold in success.rougeL_drop]),
    }


def attacked(
    outcomes: dict[str, Outcome], spent: dict[str, tuple[int, int]], success: Success | SuccessText
) -> dict[str, Any]:
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
        "conditions": {name: outcome.means() for name, outcome in outcomes.items()},
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
