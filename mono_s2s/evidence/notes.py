"""The sentences under a table, made from the aggregated results so that they cannot say what the runs did not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mono_s2s.evidence.formatting import fixed

# What stage corpus calls the origin of its documents (data_statistics.json: source).
SOURCES = {
    "generated": "documents that the project writes itself, so no claim about natural text",
    "jsonl": "documents from local files",
    "hub": "public data sets",
}


def _percent(share: float) -> str:
    return f"{fixed(share, 0 if round(share * 100, 6).is_integer() else 1, 2)}%"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def budget(found: Mapping[str, Any], constraint: Mapping[str, Any]) -> str:
    """What the two arms were allowed, and what differs between them."""
    arms = found["arms"]
    own = arms["baseline"]
    differing = [
        f"{key} ({_plain(own.get(key))} and {_plain(arms['monotonic'].get(key))})" if key in own else key
        for key in found["differing"]
    ]
    what = (
        f"{own['epochs']} epoch{'' if own['epochs'] == 1 else 's'}, {own['steps']} updates of "
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
    return (
        f"{first}; the monotonic model's {constraint['matrices']} feed-forward matrices "
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


def sentences(summary: Mapping[str, Any], tests: Mapping[str, Any] | None, lead: int) -> dict[str, str]:
    """Every sentence that a spec may name, by its name.

    Args:
        summary: content of all_seeds_summary.json.
        tests: content of statistical_tests.json; without it there is no sentence `test`.
        lead: the leading seed.
    """
    seeds = summary["seeds"]
    attacked = {name: f"{found['n']} examples per seed" for name, found in summary["attacks"].items()}
    equal = "the same budget for every model"
    found = {
        "runs": f"{len(seeds)} training seeds ({', '.join(map(str, seeds))}).",
        "lead": f"Seed {lead} alone, the first of {len(seeds)}: nothing here tells a difference from chance.",
        "scale": f"Scale {summary['scale']}: {SOURCES.get(summary['source'], summary['source'])}.",
        "losses": "Losses (NLL) are nats per target token.",
        "rouge": "ROUGE: F-measure × 100.",
        "spread": "±: standard deviation over seeds (n−1).",
        "range": (
            "Difference: monotonic − baseline, seed by seed; brackets: its "
            f"{_percent(summary['confidence'])} t interval over seeds."
        ),
        "examples": "Brackets: 95% percentile bootstrap interval over test examples, which is blind to training.",
        "standard": "Standard: the common starting point, one checkpoint for all seeds.",
        "points": "Lead-1: the document’s first sentence. Other summary: another document’s reference.",
        "damage": "Δ is against the clean examples of the same model; larger is worse.",
        **{
            f"{name}_success": (
                "Success: share of examples whose ROUGE-L falls by at least "
                f"{_plain(100 * found['success_rougeL_drop'])} points."
            )
            for name, found in summary["attacks"].items()
        },
        "controls": (
            "Random: as many changed tokens, drawn at random. Random search: the attack’s own search at equal cost, "
            "candidates drawn at random instead of by gradient."
        ),
        "budget": budget(summary["budget"], summary["constraint"]),
        "hotflip": f"HotFlip: {attacked['hotflip']}, white box, {equal}.",
        "uat": f"Triggers: {attacked['uat']}, each model’s own trigger, {equal}.",
    }
    if tests is not None:
        found["test"] = test(tests)
    return found
