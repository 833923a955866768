"""The metrics of a run that are compared over seeds: their names, their words, and which direction is good.

`final_results.json` holds one number for each name and model. Means over several test sets are over all their examples.
A name that both tasks have means the same in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mono_s2s.files import BadInput
from mono_s2s.scale import ARMS, MODELS, TASKS

CONTRAST = "monotonic minus baseline"


@dataclass(frozen=True)
class Metric:
    """One metric: what it is in words, what it is counted in, which models have it, and which direction is good."""

    words: str
    unit: str
    better: Literal["higher", "lower"]
    models: tuple[str, ...] = MODELS

    @property
    def estimand(self) -> str:
        """What a paired comparison of this metric estimates, in words."""
        return (
            f"mean over training seeds of the paired difference, {CONTRAST} at the same seed and on the same examples, "
            f"in {self.words} ({self.unit}; {self.better} is better)"
        )


@dataclass(frozen=True)
class Headline:
    """A metric by which a run is shown: its column in metrics.json, its title in lists, and how it is printed there."""

    column: str
    metric: str
    title: str
    decimals: int = 2
    # Printed = 10**shift x the value.
    shift: int = 0


_SHARE = "F-measure, 0 to 1"
_NATS = "nats per token"
_SUMMARIZATION, _TEXT = TASKS["t5_experiments"], TASKS["foundation_llm_experiments"]
# Success at more thresholds, of other measures too, stands in the attacks' own result files.
_SUCCESS = {
    _SUMMARIZATION: "the share of examples whose ROUGE-L falls by at least the first declared threshold",
    _TEXT: "the share of examples whose loss per token rises by at least the first declared threshold",
}
_ATTACKS = {
    "hotflip": ("under HotFlip", "under as many random substitutions", "under the best of random substitutions"),
    "uat": ("under the model's universal trigger", "under random triggers", "under the best of random triggers"),
}


def _attack(name: str, task: str) -> dict[str, Metric]:
    attacked, control, search = _ATTACKS[name]
    clean, falls = "on the clean attack-evaluation examples", _SUCCESS[task]
    found = {
        f"{name}.clean_nll_per_token": Metric(f"the loss {clean}", _NATS, "lower"),
        f"{name}.delta_nll_per_token": Metric(f"the loss {attacked} minus the clean loss", _NATS, "lower"),
        f"{name}.relative_nll": Metric(f"the rise of the loss {attacked} over the clean loss", "ratio", "lower"),
        f"{name}.success": Metric(f"{falls}, {attacked}", "share, 0 to 1", "lower"),
        f"{name}.random_success": Metric(f"{falls}, {control}", "share, 0 to 1", "lower"),
        f"{name}.random_search_success": Metric(f"{falls}, {search}", "share, 0 to 1", "lower"),
        f"{name}.random_delta_nll_per_token": Metric(f"the loss {control} minus the clean loss", _NATS, "lower"),
        f"{name}.random_search_delta_nll_per_token": Metric(f"the loss {search} minus the clean loss", _NATS, "lower"),
    }
    if task == _TEXT:
        return found
    return found | {
        f"{name}.clean_rougeL": Metric(f"ROUGE-L {clean}", _SHARE, "higher"),
        f"{name}.delta_rougeL": Metric(f"the clean ROUGE-L minus ROUGE-L {attacked}", _SHARE, "lower"),
        f"{name}.random_delta_rougeL": Metric(f"the clean ROUGE-L minus ROUGE-L {control}", _SHARE, "lower"),
        f"{name}.random_search_delta_rougeL": Metric(f"the clean ROUGE-L minus ROUGE-L {search}", _SHARE, "lower"),
    }


_TRAIN = {
    "train.initial_validation_nll_per_token": Metric("the validation loss before the first step", _NATS, "lower", ARMS),
    "train.training_nll_per_token": Metric("the training loss of the kept epoch", _NATS, "lower", ARMS),
    "train.validation_nll_per_token": Metric("the validation loss of the kept weights", _NATS, "lower", ARMS),
}
_METRICS: Mapping[str, Mapping[str, Metric]] = {
    _SUMMARIZATION: {
        **_TRAIN,
        "evaluate.rouge1": Metric("ROUGE-1 on all test examples", _SHARE, "higher"),
        "evaluate.rouge2": Metric("ROUGE-2 on all test examples", _SHARE, "higher"),
        "evaluate.rougeL": Metric("ROUGE-L on all test examples", _SHARE, "higher"),
        "evaluate.rougeLsum": Metric("ROUGE-Lsum on all test examples", _SHARE, "higher"),
        "evaluate.nll_per_token": Metric("the loss on all test examples", _NATS, "lower"),
        **_attack("hotflip", _SUMMARIZATION),
        **_attack("uat", _SUMMARIZATION),
    },
    _TEXT: {
        **_TRAIN,
        "evaluate.nll_per_token": Metric("the loss on all test examples", _NATS, "lower"),
        "evaluate.perplexity": Metric("the perplexity on all test examples", "exp of nats per token", "lower"),
        "evaluate.perplexity_ratio": Metric("the perplexity over that of the same run's baseline", "ratio", "lower"),
        **_attack("hotflip", _TEXT),
        **_attack("uat", _TEXT),
    },
}
_DAMAGE = (
    Headline("hotflip_delta_nll", "hotflip.delta_nll_per_token", "ΔNLL, HotFlip"),
    Headline("uat_delta_nll", "uat.delta_nll_per_token", "ΔNLL, trigger"),
)
_LOSS = Headline("nll_per_token", "evaluate.nll_per_token", "NLL")
_HEADLINES = {
    _SUMMARIZATION: (Headline("rougeL", "evaluate.rougeL", "ROUGE-L × 100", shift=2), _LOSS, *_DAMAGE),
    _TEXT: (Headline("perplexity", "evaluate.perplexity", "perplexity"), _LOSS, *_DAMAGE),
}


def of(study: str) -> Mapping[str, Metric]:
    """The metrics of a study's runs, by name."""
    return _METRICS[TASKS[study]]


def headlines(study: str) -> tuple[Headline, ...]:
    """The metrics by which a study's runs are shown."""
    return _HEADLINES[TASKS[study]]


def check_families(
    families: Mapping[str, Mapping[str, Sequence[str]]], where: str = "params.yaml: statistics.families"
) -> None:
    """Stop at a family that names a metric that its study does not measure.

    Args:
        families: metrics by family by study.
        where: the key that holds them, for errors.

    Raises:
        BadInput: an unknown metric, or an empty family; names the key's path.
    """
    for study, own in families.items():
        for family, names in own.items():
            if not names:
                raise BadInput(f"{where}.{study}.{family}: no metric: name one, or remove the family")
            for place, name in enumerate(names):
                if name not in of(study):
                    key = f"{where}.{study}.{family}.{place}"
                    raise BadInput(f"{key}: {name!r} is not one of {', '.join(of(study))}")
