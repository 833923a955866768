"""What evaluation_results.json says of multiple-choice tasks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mono_s2s.evidence.parts import EACH_MODEL, Model, Part, Positive, Sha256, Share


class Choices(Part):
    """One model on one multiple-choice task."""

    accuracy: Share
    # One character an example, in the task's order: 1 where the model chose rightly.
    outcomes: str = Field(pattern="^[01]+$")


class ChoiceTask(Part):
    """All models on one multiple-choice task."""

    n: Positive
    # SHA-256 over prompts and right answers: two runs that were asked the same have the same.
    questions: Sha256
    # The harness's name of what `accuracy` counts.
    metric: str
    models: Annotated[dict[Model, Choices], EACH_MODEL]


class MultipleChoice(Part):
    """Accuracy without further training, by lm-evaluation-harness."""

    # Its version.
    harness: str
    tasks: dict[str, ChoiceTask] = Field(min_length=1)
