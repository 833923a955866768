"""All models under universal triggers: search, controls, transfer, in the form of the result file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mono_s2s.attacks import report, uat
from mono_s2s.attacks.space import space
from mono_s2s.corpus.reading import Encoding, Example
from mono_s2s.evaluation.outcome import Outcome, measure
from mono_s2s.files import BadInput
from mono_s2s.scale import Compute, Decoding, Scoring, Uat, UatText

Models = Mapping[str, torch.nn.Module]

PERTURBATION = {
    "summarization": "one sequence of `trigger_tokens` tokens for all documents, right after the task prefix; clean "
    "inputs leave the same room, so both hold the same part of the document",
    "language modelling": "one sequence of `trigger_tokens` tokens for all contexts, right after the start token; "
    "clean inputs leave the same room, so both hold the same part of the context: the end, "
    "which the continuation follows",
}


def under_triggers(
    models: Models,
    optimization: Sequence[Example],
    examples: Sequence[Example],
    config: Uat | UatText,
    decoding: Decoding | Scoring,
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
        decoding: how clean and attacked inputs are measured.
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
        **report.facts(decoding),
        "perturbation": PERTURBATION[report.task(decoding)],
        "random": "a random sequence of as many allowed tokens; drawn anew for each example, the same for all models; "
        "nothing is searched",
    }
    content = {"attack": attack, "n": len(examples), "n_optimization": len(optimization)}
    return content | {"models": entries, "transfer": transfer}, rows
