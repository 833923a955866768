"""The sentences under a table, made from the aggregated results so that they cannot say what the runs did not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mono_s2s.evidence.formatting import fixed, grouped
from mono_s2s.scale import TASKS

# What stage corpus calls the origin of its texts (data_statistics.json: source).
SOURCES = {
    "generated": "{texts} that the project writes itself, so no claim about natural text",
    "jsonl": "{texts} from local files",
    "files": "{texts} from local files",
    "hub": "public data sets",
}
ACTIVATIONS = {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU"}
# Which matrices a scope means; those that are not here are of the feed-forward layers alone.
SCOPES = {"mlp_in_attn_out": "feed-forward input and attention output"}


def _percent(share: float) -> str:
    return f"{fixed(share, 0 if round(share * 100, 6).is_integer() else 1, 2)}%"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def budget(found: Mapping[str, Any], constraint: Mapping[str, Any]) -> str:
    """What the two arms were allowed, and what differs between them."""
    arms = found["arms"]
    own = arms["baseline"]
    differing = [
        f"{key} ({_plain(own.get(key))} and {_plain(arms['monotonic'].get(key))})" if key in own else key
        for key in found["differing"]
    ]
    what = (
        f"{_counted(own['epochs'], 'epoch')}, {own['steps']} updates of "
        f"{own['batch_size'] * own['accumulation']} examples, learning rate {_plain(own['learning_rate'])}, "
        f"{own['schedule']}"
    )
    first = (
        f"Baseline and monotonic had the same budget ({what})"
        if found["equal"]
        else f"The arms' budgets differ in {', '.join(differing)}, the baseline's first"
    )
    # Decay would pull V towards 0, which makes small weights grow; so it is the one thing that the constraint changes
    # in the optimization, and readers are told.
    decay = ", and V takes no weight decay, which the baseline's do" if own["weight_decay"] else ""
    which = SCOPES.get(constraint["scope"], "feed-forward")
    return (
        f"{first}; the monotonic model's {constraint['matrices']} {which} matrices "
        f"({_percent(constraint['share'])} of its parameters) are constrained: {constraint['formula']}{decay}."
    )


def test(found: Mapping[str, Any]) -> str:
    """Which test, which correction, and the dagger where the design cannot reach significance."""
    n = len(found["seeds"])
    families = ", ".join(f"{len(names)} {name}" for name, names in found["families"].items())
    text = (
        f"p: exact two-sided paired sign-flip test over {n} seeds, adjusted by Holm’s method inside its family "
        f"({families}); – where a metric is in no family."
    )
    weak = [test for test in found["tests"].values() if test["underpowered"]]
    if weak:
        text += (
            f" †: underpowered. With {n} seeds this test gives no p below {_plain(weak[0]['floor'])} before the "
            f"correction, so it cannot reach significance at {_plain(found['alpha'])} in its family, whatever the data."
        )
    return text


def _summarization(summary: Mapping[str, Any]) -> dict[str, str]:
    """The sentences of studies in which models write summaries."""
    attacks = summary["attacks"]
    equal = "the same budget for every model"
    return {
        "scale": _scale(summary, "documents"),
        "losses": "Losses (NLL) are nats per target token.",
        "rouge": "ROUGE: F-measure × 100.",
        "points": "Lead-1: the document’s first sentence. Other summary: another document’s reference.",
        **{
            f"{name}_success": (
                "Success: share of examples whose ROUGE-L falls by at least "
                f"{_plain(100 * found['success_rougeL_drop'])} points."
            )
            for name, found in attacks.items()
        },
        "hotflip": f"HotFlip: {attacks['hotflip']['n']} examples per seed, white box, {equal}.",
        "uat": f"Triggers: {attacks['uat']['n']} examples per seed, each model’s own trigger, {equal}.",
    }


def _text(summary: Mapping[str, Any]) -> dict[str, str]:
    """The sentences of studies in which models predict text."""
    hotflip, uat, constraint = summary["attacks"]["hotflip"], summary["attacks"]["uat"], summary["constraint"]
    thresholds = {name: _plain(found["success_absolute_nll"]) for name, found in summary["attacks"].items()}
    success = (
        f"at least {thresholds['hotflip']}"
        if len(set(thresholds.values())) == 1
        else f"at least {thresholds['hotflip']} (HotFlip) or {thresholds['uat']} (triggers)"
    )
    unigram = fixed(summary["reference_points"]["unigram"]["perplexity"], 1)
    return {
        "scale": _scale(summary, "texts"),
        "losses": "Losses (NLL) are nats per scored token.",
        "perplexity": (
            "Perplexity: exp of the mean loss over all tokens of the held-out text; its ratio is to the baseline of "
            "the same seed, and is not tested beside the loss that it follows from. For comparison, the tokens’ "
            f"frequencies in the training text alone give {unigram}."
        ),
        "constrained": (
            f"Constrained: {grouped(constraint['parameters'])} of {grouped(summary['model']['parameters'])} parameters."
        ),
        "activation": activation(constraint),
        "scored": (
            "Under attack only a continuation is scored, which no attack writes; the attacker may touch the context "
            "before it, but no start or special token."
        ),
        "success": f"Success: share of examples whose loss rises by {success} nats per scored token.",
        "attacks": (
            f"HotFlip: {hotflip['n']} examples per seed, at most {_counted(hotflip['flips'], 'substitution')}. "
            f"Triggers: {uat['n']} examples per seed, each model’s own {_counted(uat['trigger_tokens'], 'token')} "
            f"before the context, found in {_counted(uat['iterations'], 'sweep')} over other text. White box, "
            "and the same budget for every model."
        ),
    }


def activation(constraint: Mapping[str, Any]) -> str:
    """Whether the constraint makes the feed-forward layers monotone, which takes a monotone activation too."""
    kind, _, name = constraint["activation"].rpartition("-")
    called = " ".join(part for part in (kind, ACTIVATIONS.get(name, name)) if part)
    if constraint["activation_monotone"]:
        return f"The activation, {called}, is monotone."
    return f"The activation, {called}, is not monotone, so non-negative weights alone do not make a layer monotone."


def _scale(summary: Mapping[str, Any], texts: str) -> str:
    return f"Scale {summary['scale']}: {SOURCES.get(summary['source'], summary['source']).format(texts=texts)}."


_OF_TASK = {"summarization": _summarization, "language modelling": _text}


def sentences(summary: Mapping[str, Any], tests: Mapping[str, Any] | None, lead: int) -> dict[str, str]:
    """Every sentence that a spec may name, by its name.

    Args:
        summary: content of all_seeds_summary.json.
        tests: content of statistical_tests.json; without it there is no sentence `test`.
        lead: the leading seed.
    """
    seeds = summary["seeds"]
    found = {
        "runs": f"{len(seeds)} training seeds ({', '.join(map(str, seeds))}).",
        "lead": f"Seed {lead} alone, the first of {len(seeds)}: nothing here tells a difference from chance.",
        "spread": "±: standard deviation over seeds (n−1).",
        "range": (
            "Difference: monotonic − baseline, seed by seed; brackets: its "
            f"{_percent(summary['confidence'])} t interval over seeds."
        ),
        "examples": "Brackets: 95% percentile bootstrap interval over test examples, which is blind to training.",
        "standard": "Standard: the common starting point, one checkpoint for all seeds.",
        "damage": "Δ is against the clean examples of the same model; larger is worse.",
        "controls": (
            "Random: as many changed tokens, drawn at random. Random search: the attack’s own search at equal cost, "
            "candidates drawn at random instead of by gradient."
        ),
        "budget": budget(summary["budget"], summary["constraint"]),
        **_OF_TASK[TASKS[summary["study"]]](summary),
    }
    if tests is not None:
        found["test"] = test(tests)
    return found
