"""What differs between the studies' result files, by what their models do. Everything else is one code for both.

The words for people (metrics, notes, lists) are keyed by the same names in `metrics`, `notes` and `index`: what files a
run must not depend on them, or a new wording would file every run anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mono_s2s.evidence import schemas
from mono_s2s.evidence.parts import Part
from mono_s2s.evidence.schemas import ROUGE
from mono_s2s.scale import TASKS

_LOSS = ("nll_nats", "target_tokens")


@dataclass(frozen=True)
class Task:
    """The files of a study's runs."""

    # Of all three models.
    architecture: Literal["encoder-decoder", "decoder-only"]
    # The schemas of the result files, by tracked name.
    files: Mapping[str, type[Part]]
    # The columns of the per-example files, by tracked name.
    columns: Mapping[str, tuple[str, ...]]
    # Scores that each example has beside its loss.
    measures: tuple[str, ...]
    # Whose first threshold the metric `success` takes: a key of `damage`.
    success: str


_SUMMARIZATION = Task(
    architecture="encoder-decoder",
    files={
        **schemas.FILES,
        "evaluation_results.json": schemas.Evaluation,
        "uat_results.json": schemas.Uat,
        "hotflip_results.json": schemas.Hotflip,
    },
    columns={
        "evaluation_examples.csv": (
            *("dataset", "example_id", "model", *ROUGE, *_LOSS),
            *("prediction_tokens", "reference_tokens", "prediction"),
        ),
        "reference_points.csv": ("dataset", "example_id", "point", *ROUGE),
        "uat_examples.csv": ("example_id", "model", "condition", "trigger_source", *ROUGE, *_LOSS, "prediction"),
        "hotflip_examples.csv": ("example_id", "model", "condition", "flips", "changes", *ROUGE, *_LOSS, "prediction"),
    },
    measures=ROUGE,
    success="success_rougeL_drop",
)
_LANGUAGE_MODELLING = Task(
    architecture="decoder-only",
    files={
        **schemas.FILES,
        "evaluation_results.json": schemas.EvaluationText,
        "uat_results.json": schemas.UatText,
        "hotflip_results.json": schemas.HotflipText,
    },
    columns={
        "evaluation_examples.csv": ("dataset", "example_id", "model", *_LOSS),
        "reference_points.csv": ("dataset", "example_id", "point", *_LOSS),
        "uat_examples.csv": ("example_id", "model", "condition", "trigger_source", *_LOSS),
        "hotflip_examples.csv": ("example_id", "model", "condition", "flips", "changes", *_LOSS),
    },
    measures=(),
    success="success_absolute_nll",
)
_BY_NAME = {"summarization": _SUMMARIZATION, "language modelling": _LANGUAGE_MODELLING}


def of(study: str) -> Task:
    """What the models of a study do."""
    return _BY_NAME[TASKS[study]]


def read(path: Path, study: str) -> Any:
    """The typed content of one of a study's result files; its kind by its tracked name.

    Raises:
        BadInput: missing, not JSON, NaN, or against the schema; names the file and the key's path.
    """
    return schemas.read(path, of(study).files[path.name])
