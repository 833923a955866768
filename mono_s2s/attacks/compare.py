"""All models under one attack: search, controls, measurement, in the form of the result files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mono_s2s.attacks import hotflip, report, uat
from mono_s2s.attacks.space import Space, space
from mono_s2s.corpus.reading import Encoding, Example
from mono_s2s.evaluation import generation
from mono_s2s.evaluation.outcome import Outcome, full_precision, measure
from mono_s2s.files import BadInput
from mono_s2s.models import losses
from mono_s2s.scale import Compute, Decoding, Hotflip, Uat

Models = Mapping[str, torch.nn.Module]


def under_hotflip(
    models: Models,
    examples: Sequence[Example],
    config: Hotflip,
    decoding: Decoding,
    encoding: Encoding,
    compute: Compute,
    seed: int,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """HotFlip, its random control and its random search on every model.

    Args:
        models: by name, in evaluation mode.
        examples: the attack-evaluation split.
        config: the attack.
        decoding: how summaries of clean and attacked inputs are written.
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
        **report.THREAT,
        "decoding": generation.settings(decoding),
        "perturbation": "substitution of at most `flips` tokens of the document, each position at most once",
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
    config: Hotflip,
    decoding: Decoding,
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


def under_triggers(
    models: Models,
    optimization: Sequence[Example],
    examples: Sequence[Example],
    config: Uat,
    decoding: Decoding,
    encoding: Encoding,
    compute: Compute,
    seed: int,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A universal trigger for every model, its controls, and every trigger on every other model.

    Args:
        models: by name, in evaluation mode.
        optimization: the attack-optimization split, on which triggers are learned.
        examples: the attack-evaluation split, which the search never sees.
        config: the attack.
        decoding: how summaries of clean and attacked inputs are written.
        encoding: how inputs are packed.
        compute: device and precision of the search.
        seed: the attack seed.

    Returns:
        The keys attack, n, n_optimization, models and transfer of the result file, and the rows of examples.csv.

    Raises:
        BadInput: the two splits share an example, or a trigger was not learned.
    """
    shared = {example.example_id for example in optimization} & {example.example_id for example in examples}
    if shared:
        raise BadInput(f"uat: example {min(shared)} is in attack_optimization and attack_evaluation: split them apart")
    rows: list[dict[str, Any]] = []
    spaces = {name: space(model, encoding) for name, model in models.items()}
    learned = {
        name: {
            condition: uat.learn(model, optimization, spaces[name], config, compute, seed, guided=guided)
            for condition, guided in (("attack", True), ("random_search", False))
        }
        for name, model in models.items()
    }

    def outcome(name: str, condition: str, changed: list[list[int]], source: str = "") -> Outcome:
        found = measure(models[name], changed, examples, decoding, encoding, compute)
        rows.extend(report.rows(found, examples, name, condition, [{"trigger_source": source}] * len(examples)))
        return found

    entries: dict[str, Any] = {}
    transfer: dict[str, dict[str, Any]] = {source: {} for source in models}
    for name in models:
        own, found, control = spaces[name], learned[name]["attack"], learned[name]["random_search"]
        drawn = [
            uat.inputs([example], ids, own, config)[0]
            for example, ids in zip(examples, uat.random_triggers(examples, own, config, seed), strict=True)
        ]
        outcomes = {
            "clean": outcome(name, "clean", uat.inputs(examples, (), own, config)),
            "attack": outcome(name, "attack", uat.attacked(examples, found, own, config, name), name),
            "random": outcome(name, "random", drawn),
            "random_search": outcome(name, "random_search", uat.inputs(examples, control.ids, own, config), name),
        }
        spent = {key: (trigger.forward, trigger.backward) for key, trigger in learned[name].items()}
        entries[name] = report.attacked(outcomes, spent, config.success) | {
            "triggers": {
                key: {
                    "ids": list(trigger.ids),
                    "text": encoding.decode(trigger.ids),
                    "search_nll_per_token": trigger.search_nll_per_token,
                }
                for key, trigger in learned[name].items()
            },
            "trace": list(found.trace),
        }
        for source in models:
            moved = learned[source]["attack"]
            harmed = outcomes["attack"]
            if source != name:
                changed = uat.attacked(examples, moved, own, config, source)
                harmed = outcome(name, "transfer", changed, source)
            transfer[source][name] = report.damage(outcomes["clean"], harmed, config.success)
    attack = {
        **config.model_dump(exclude={"success"}),
        **report.THREAT,
        "decoding": generation.settings(decoding),
        "perturbation": "one sequence of `trigger_tokens` tokens for all documents, right after the task prefix; clean "
        "inputs leave the same room, so both hold the same part of the document",
        "random": "a random sequence of as many allowed tokens; drawn anew for each example, the same for all models; "
        "nothing is searched",
    }
    content = {"attack": attack, "n": len(examples), "n_optimization": len(optimization)}
    return content | {"models": entries, "transfer": transfer}, rows
