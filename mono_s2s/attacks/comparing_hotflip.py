"""All models under HotFlip: search, controls, measurement, in the form of the result file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mono_s2s.attacks import hotflip, report
from mono_s2s.attacks.space import Space, space
from mono_s2s.corpus.reading import Encoding, Example
from mono_s2s.evaluation.outcome import Outcome, full_precision, measure
from mono_s2s.models import losses
from mono_s2s.scale import Compute, Decoding, Hotflip, HotflipText, Scoring

Models = Mapping[str, torch.nn.Module]

PERTURBATION = {
    "summarization": "substitution of at most `flips` tokens of the document, each position at most once",
    "language modelling": "substitution of at most `flips` tokens of the context, each position at most once",
}


def under_hotflip(
    models: Models,
    examples: Sequence[Example],
    config: Hotflip | HotflipText,
    decoding: Decoding | Scoring,
    encoding: Encoding,
    compute: Compute,
    seed: int,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """HotFlip, its random control and its random search on every model.

    Args:
        models: by name, in evaluation mode.
        examples: the attack-evaluation split.
        config: the attack.
        decoding: how clean and attacked inputs are measured.
        encoding: how inputs are packed.
        compute: device and precision of the search.
        seed: the attack seed.

    Returns:
        The keys attack, n and models of the result file, and the rows of examples.csv.
    """
    entries, rows = {}, []
    for name, model in models.items():
        allowed = space(model, encoding)
        searched = {
            "attack": hotflip.run(model, examples, allowed, config, compute, seed),
            "random_search": hotflip.run(model, examples, allowed, config, compute, seed, guided=False),
        }
        records = {
            "clean": [hotflip.Record(attackable=record.attackable) for record in searched["attack"].records],
            "attack": searched["attack"].records,
            "random": hotflip.random_substitutions(examples, allowed, config.flips, seed),
            "random_search": searched["random_search"].records,
        }
        outcomes = {}
        for condition, made in records.items():
            changed = hotflip.perturbed(examples, made, allowed)
            outcomes[condition] = measure(model, changed, examples, decoding, encoding, compute)
            details = [{"flips": len(record.flips), "changes": record.changes()} for record in made]
            rows += report.rows(outcomes[condition], examples, name, condition, details)

        spent = {key: (result.forward, result.backward) for key, result in searched.items()}
        entries[name] = report.attacked(outcomes, spent, config.success) | {
            "curve": _curve(model, examples, allowed, records, outcomes, config, decoding, compute),
            "effective_flips": {
                condition: sum(len(record.flips) for record in made) / len(made)
                for condition, made in records.items()
                if condition != "clean"
            },
            "short_examples": sum(record.attackable < config.flips for record in records["attack"]),
            "first_order_correlation": hotflip.first_order_correlation(
                model, examples, allowed, searched["random_search"], config, compute
            ),
        }
    attack = {
        **config.model_dump(exclude={"success"}),
        **report.facts(decoding),
        "perturbation": PERTURBATION[report.task(decoding)],
        "random": "as many random positions, each with a random other allowed token; drawn anew for each example, "
        "the same for all models; nothing is searched",
    }
    return {"attack": attack, "n": len(examples), "models": entries}, rows


def _curve(
    model: torch.nn.Module,
    examples: Sequence[Example],
    allowed: Space,
    records: Mapping[str, list[hotflip.Record]],
    outcomes: Mapping[str, Outcome],
    config: Hotflip | HotflipText,
    decoding: Decoding | Scoring,
    compute: Compute,
) -> list[dict[str, Any]]:
    """Losses after 0, 1, ... flips: the first is the clean loss, the last that of the condition."""

    def loss(condition: str, steps: int) -> float:
        if steps in (0, config.flips):
            return outcomes[condition if steps else "clean"].nll_per_token
        nats, tokens = losses.nll(
            model,
            hotflip.perturbed(examples, records[condition], allowed, steps),
            [example.reference_ids[0] for example in examples],
            allowed.encoding,
            full_precision(compute),
            decoding.batch_size,
        )
        return float(nats.sum() / tokens.sum())

    return [
        {
            "flips": steps,
            "nll_per_token": loss("attack", steps),
            "random_nll_per_token": loss("random", steps),
            "random_search_nll_per_token": loss("random_search", steps),
        }
        for steps in range(config.flips + 1)
    ]
