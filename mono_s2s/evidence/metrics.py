"""The metrics of a run that are compared over seeds: their names, their words, and which direction is good.

`final_results.json` holds one number for each name and model. Means over several test sets are over all their examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mono_s2s.files import BadInput
from mono_s2s.scale import ARMS, MODELS

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


_SHARE = "F-measure, 0 to 1"
# Success at more thresholds, of ROUGE-L and of the loss, stands in the attacks' own result files.
_FALLS = "the share of examples whose ROUGE-L falls by at least the first declared threshold"
_NATS = "nats per token"
_ATTACKS = {
    "hotflip": ("under HotFlip", "under as many random substitutions", "under the best of random substitutions"),
    "uat": ("under the model's universal trigger", "under random triggers", "under the best of random triggers"),
}


def _attack(name: str) -> dict[str, Metric]:
    attacked, control, search = _ATTACKS[name]
    clean = "on the clean attack-evaluation examples"
    return {
        f"{name}.clean_nll_per_token": Metric(f"the loss {clean}", _NATS, "lower"),
        f"{name}.clean_rougeL": Metric(f"ROUGE-L {clean}", _SHARE, "higher"),
        f"{name}.delta_nll_per_token": Metric(f"the loss {attacked} minus the clean loss", _NATS, "lower"),
        f"{name}.relative_nll": Metric(f"the rise of the loss {attacked} over the clean loss", "ratio", "lower"),
        f"{name}.delta_rougeL": Metric(f"the clean ROUGE-L minus ROUGE-L {attacked}", _SHARE, "lower"),
        f"{name}.success": Metric(f"{_FALLS}, {attacked}", "share, 0 to 1", "lower"),
        f"{name}.random_success": Metric(f"{_FALLS}, {control}", "share, 0 to 1", "lower"),
        f"{name}.random_search_success": Metric(f"{_FALLS}, {search}", "share, 0 to 1", "lower"),
        f"{name}.random_delta_nll_per_token": Metric(f"the loss {control} minus the clean loss", _NATS, "lower"),
        f"{name}.random_delta_rougeL": Metric(f"the clean ROUGE-L minus ROUGE-L {control}", _SHARE, "lower"),
        f"{name}.random_search_delta_nll_per_token": Metric(f"the loss {search} minus the clean loss", _NATS, "lower"),
        f"{name}.random_search_delta_rougeL": Metric(f"the clean ROUGE-L minus ROUGE-L {search}", _SHARE, "lower"),
    }


METRICS: Mapping[str, Metric] = {
    "train.initial_validation_nll_per_token": Metric("the validation loss before the first step", _NATS, "lower", ARMS),
    "train.training_nll_per_token": Metric("the training loss of the kept epoch", _NATS, "lower", ARMS),
    "train.validation_nll_per_token": Metric("the validation loss of the kept weights", _NATS, "lower", ARMS),
    "evaluate.rouge1": Metric("ROUGE-1 on all test examples", _SHARE, "higher"),
    "evaluate.rouge2": Metric("ROUGE-2 on all test examples", _SHARE, "higher"),
    "evaluate.rougeL": Metric("ROUGE-L on all test examples", _SHARE, "higher"),
    "evaluate.rougeLsum": Metric("ROUGE-Lsum on all test examples", _SHARE, "higher"),
    "evaluate.nll_per_token": Metric("the loss on all test examples", _NATS, "lower"),
    **_attack("hotflip"),
    **_attack("uat"),
}


def check_families(families: Mapping[str, Sequence[str]], where: str = "params.yaml: statistics.families") -> None:
    """Stop at a family that names a metric nobody measures.

    Raises:
        BadInput: an unknown metric, or an empty family; names the key's path.
    """
    for family, names in families.items():
        if not names:
            raise BadInput(f"{where}.{family}: no metric: name one, or remove the family")
        for place, name in enumerate(names):
            if name not in METRICS:
                raise BadInput(f"{where}.{family}.{place}: {name!r} is not one of {_listed(METRICS)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
