"""The result files, typed and versioned.

Missing keys, unknown keys, NaN and Infinity are errors. Losses are negative log-likelihoods in nats; the key says per
what. `damage` is always attacked minus clean for losses and clean minus attacked for ROUGE: larger is worse.

What only summarization has (ROUGE, predictions) and what only language modelling has (perplexity, multiple choice)
stands in classes of its own; those of language modelling end in Text. `tasks` says which study has which.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from mono_s2s import files
from mono_s2s.evidence.choices import MultipleChoice
from mono_s2s.evidence.data import DataStatistics
from mono_s2s.evidence.parts import (
    EACH_MODEL,
    Arm,
    Count,
    Identity,
    Interval,
    Lengths,
    Model,
    Nats,
    Part,
    Positive,
    Sha256,
    Share,
    validate,
)

ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")


class ModelFacts(Part):
    """What a model is."""

    name: str
    architecture: Literal["encoder-decoder", "decoder-only"]
    parameters: Count


class ConstraintFacts(Part):
    """What was constrained, as found in the trained model."""

    mode: str
    scope: str
    formula: str
    matrices: Positive
    parameters: Positive
    # Of all the model's parameters.
    share: Share
    # Smallest weight of any constrained matrix after training.
    minimum_weight: float
    activation: str
    activation_monotone: bool


class Budget(Part):
    """What training was allowed and used."""

    epochs: Count
    steps: Count
    batch_size: Count
    accumulation: Count
    # What went through the model in all epochs together; padding is not counted.
    examples: Count
    input_tokens: Count
    target_tokens: Count
    learning_rate: float
    schedule: str
    warmup_ratio: Share
    weight_decay: float
    max_gradient_norm: float
    dropout: Share


class Epoch(Part):
    """One pass over the training examples, or the state before the first (epoch 0)."""

    epoch: Count
    step: Count
    # Token-weighted mean over the epoch's batches as they were trained on; null before the first step.
    train_nll_per_token: Nats | None
    validation_nll_per_token: Nats
    validation_tokens: Count


class Training(Identity):
    """baseline_training.json and monotonic_training.json."""

    stage: Literal["train"]
    arm: Arm
    initial_checkpoint: Sha256
    checkpoint: Sha256
    model: ModelFacts
    # Null for the baseline.
    constraint: ConstraintFacts | None
    budget: Budget
    # Before the first step, the constraint already applied.
    initial: Epoch
    epochs: list[Epoch] = Field(min_length=1)
    # The epoch whose weights the checkpoint holds: lowest validation loss.
    best: Epoch


class Rouge(Part):
    """Mean F-measures over examples, 0 to 1; several references: the best for each example and measure."""

    rouge1: Interval
    rouge2: Interval
    rougeL: Interval  # noqa: N815 - the field's name for it
    rougeLsum: Interval  # noqa: N815


class Quality(Part):
    """One model on one test set."""

    rouge: Rouge
    # Of the first reference, token-weighted.
    nll_per_token: Nats
    target_tokens: Count
    prediction_lengths: Lengths
    reference_lengths: Lengths
    # Total prediction tokens over total reference tokens.
    length_ratio: float
    brevity_penalty: Share


class TestSet(Part):
    """All models on one test set, beside what costs nothing."""

    n: Positive
    models: Annotated[dict[Model, Quality], EACH_MODEL]
    # lead_1: the document's first sentence; other_summary: another document's reference.
    reference_points: dict[Literal["lead_1", "other_summary"], Rouge]


class Perplexity(Part):
    """exp of the mean loss over all tokens; the interval resamples blocks."""

    perplexity: Interval


class QualityText(Perplexity):
    """One model on one held-out text."""

    # Token-weighted: all nats over all tokens.
    nll_per_token: Nats
    target_tokens: Count


class TestSetText(Part):
    """All models on one held-out text, beside what costs nothing."""

    # Blocks.
    n: Positive
    models: Annotated[dict[Model, QualityText], EACH_MODEL]
    # unigram: each token by its frequency in the training text.
    reference_points: Annotated[dict[Literal["unigram"], Perplexity], Field(min_length=1)]


class Evaluated(Identity):
    """evaluation_results.json, what both tasks have."""

    stage: Literal["evaluate"]
    checkpoints: dict[Model, Sha256]


class Evaluation(Evaluated):
    """evaluation_results.json of a summarization study."""

    decoding: dict[str, Any]
    rouge: dict[str, Any]
    datasets: dict[str, TestSet] = Field(min_length=1)


class EvaluationText(Evaluated):
    """evaluation_results.json of a language-modelling study."""

    scoring: dict[str, Any]
    datasets: dict[str, TestSetText] = Field(min_length=1)
    # Null where no task was asked for.
    multiple_choice: MultipleChoice | None


class Effort(Part):
    """What an attack spent on one model, in single examples passed through it."""

    forward: Count
    backward: Count


class ConditionText(Part):
    """A model on the attack-evaluation examples, clean or perturbed."""

    nll_per_token: Nats
    target_tokens: Count


class Condition(ConditionText):
    """The same with the generated summaries' scores."""

    rougeL: Share  # noqa: N815
    rouge1: Share
    rouge2: Share
    rougeLsum: Share  # noqa: N815


class Rate(Part):
    """Share of examples on which the damage is at least `threshold`."""

    threshold: float
    rate: Share


Rates = Annotated[list[Rate], Field(min_length=1)]


class LossDamage(Part):
    """What a perturbation does to the loss, against the clean condition."""

    delta_nll_per_token: float
    # delta_nll_per_token over the clean nll_per_token.
    relative_nll: float
    success_relative_nll: Rates


class Damage(LossDamage):
    """What a perturbation does where summaries are written."""

    delta_rougeL: float  # noqa: N815
    success_rougeL_drop: Rates  # noqa: N815


class DamageText(LossDamage):
    """What a perturbation does where nothing is written."""

    # By the rise of the example's loss per scored token.
    success_absolute_nll: Rates


# attack: chosen by gradient. random: as many random tokens, nothing searched. random_search: the attack's own loop at
# equal cost, with candidates drawn at random instead of by gradient.
Perturbed = Literal["attack", "random", "random_search"]
C = TypeVar("C", bound=ConditionText)
D = TypeVar("D", bound=LossDamage)
M = TypeVar("M", bound=Part)


class Attacked(Part, Generic[C, D]):
    """One model under one attack and its two controls."""

    effort: Annotated[dict[Perturbed, Effort], Field(min_length=3)]
    conditions: Annotated[dict[Literal["clean", "attack", "random", "random_search"], C], Field(min_length=4)]
    damage: Annotated[dict[Perturbed, D], Field(min_length=3)]


class Attack(Identity, Generic[M]):
    """What hotflip_results.json and uat_results.json have in common."""

    attack_seed: int
    checkpoints: dict[Model, Sha256]
    attack: dict[str, Any]
    n: Positive
    models: Annotated[dict[Model, M], EACH_MODEL]


class Strength(Part):
    """Mean attacked loss after so many flips; 0 is the clean loss."""

    flips: Count
    nll_per_token: Nats
    random_nll_per_token: Nats
    random_search_nll_per_token: Nats


class HotflipModel(Attacked[C, D], Generic[C, D]):
    """One model under HotFlip."""

    curve: list[Strength]
    # Mean number of tokens that differ from the original.
    effective_flips: dict[Perturbed, float]
    # Examples with fewer attackable tokens than flips.
    short_examples: Count
    # Spearman's, of estimated and exact loss changes over random single substitutions; null where one does not vary.
    first_order_correlation: Annotated[float, Field(ge=-1, le=1)] | None


class AnyHotflip(Attack[M], Generic[M]):
    """hotflip_results.json of either task."""

    stage: Literal["hotflip"]


class Hotflip(AnyHotflip[HotflipModel[Condition, Damage]]):
    """hotflip_results.json of a summarization study."""


class HotflipText(AnyHotflip[HotflipModel[ConditionText, DamageText]]):
    """hotflip_results.json of a language-modelling study."""


class Trigger(Part):
    """One trigger that was searched; the random control draws one of its own for each example (examples.csv)."""

    ids: list[int] = Field(min_length=1)
    text: str
    # On the attack-optimization split, after the search.
    search_nll_per_token: Nats


class UatModel(Attacked[C, D], Generic[C, D]):
    """One model under its own trigger."""

    triggers: dict[Literal["attack", "random_search"], Trigger]
    # Loss per token on the attack-optimization split: the first random start, then the best trigger after each sweep.
    trace: list[float]


class AnyUat(Attack[M], Generic[M, D]):
    """uat_results.json of either task."""

    stage: Literal["uat"]
    n_optimization: Positive
    # transfer[source][target]: the source's trigger on the target model.
    transfer: Annotated[dict[Model, Annotated[dict[Model, D], EACH_MODEL]], EACH_MODEL]


class Uat(AnyUat[UatModel[Condition, Damage], Damage]):
    """uat_results.json of a summarization study."""


class UatText(AnyUat[UatModel[ConditionText, DamageText], DamageText]):
    """uat_results.json of a language-modelling study."""


class Final(Identity):
    """final_results.json: the run on one page. `metrics` maps a metric's name to its value for each model."""

    stage: Literal["collect"]
    attack_seed: int
    checkpoints: dict[Model, Sha256]
    metrics: dict[str, dict[Model, float]]


# By name, where all studies have the same; the others: `tasks`.
FILES: dict[str, type[Part]] = {
    "baseline_training.json": Training,
    "monotonic_training.json": Training,
    "final_results.json": Final,
    "data_statistics.json": DataStatistics,
}


def read(path: Path, kind: type[Part] | None = None) -> Any:
    """The typed content of a result file; its kind by its name, where all studies have the same, or `kind`.

    Raises:
        BadInput: missing, not JSON, NaN, or against the schema; names the file and the key's path.
    """
    return validate(files.read_json(path), kind or FILES[path.name], path)


def write(path: Path, content: dict[str, Any], kind: type[Part]) -> None:
    """Validate and write a result file."""
    validate(content, kind, path)
    files.write_json(path, content)
