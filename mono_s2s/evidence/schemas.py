"""The result files, typed and versioned.

Missing keys, unknown keys, NaN and Infinity are errors. Losses are negative log-likelihoods in nats; the key says per
what. `damage` is always attacked minus clean for losses and clean minus attacked for ROUGE: larger is worse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mono_s2s import files

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Nats = Annotated[float, Field(ge=0)]
Model = Literal["standard", "baseline", "monotonic"]
Arm = Literal["baseline", "monotonic"]
ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")


class Part(BaseModel):
    """A part of a result file: closed and without NaN or Infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Identity(Part):
    """Which run a file belongs to."""

    schema_version: Literal[1]
    study: str
    scale: str
    # Seed of training: data order and dropout.
    seed: int
    # SHA-256 over the digests of all splits and the tokenizer (data_statistics.json: data_digest).
    data_digest: Sha256


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
    matrices: Annotated[int, Field(gt=0)]
    parameters: Annotated[int, Field(gt=0)]
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


class Interval(Part):
    """A mean over examples with a percentile bootstrap interval (resampled examples)."""

    mean: float
    lower: float
    upper: float


class Lengths(Part):
    """Lengths in tokens without special tokens; sd with ddof=1."""

    mean: float
    sd: float
    median: float
    minimum: Count
    maximum: Count
    total: Count


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

    n: Annotated[int, Field(gt=0)]
    models: dict[Model, Quality]
    # lead_1: the document's first sentence; other_summary: another document's reference.
    reference_points: dict[Literal["lead_1", "other_summary"], Rouge]


class Evaluation(Identity):
    """evaluation_results.json."""

    stage: Literal["evaluate"]
    checkpoints: dict[Model, Sha256]
    decoding: dict[str, Any]
    rouge: dict[str, Any]
    datasets: dict[str, TestSet] = Field(min_length=1)


class Effort(Part):
    """What an attack spent on one model, in single examples passed through it."""

    forward: Count
    backward: Count


class Condition(Part):
    """A model on the attack-evaluation examples, clean or perturbed."""

    nll_per_token: Nats
    target_tokens: Count
    rougeL: Share  # noqa: N815
    rouge1: Share
    rouge2: Share
    rougeLsum: Share  # noqa: N815


class Rate(Part):
    """Share of examples on which the damage is at least `threshold`."""

    threshold: float
    rate: Share


class Damage(Part):
    """What a perturbation does, against the clean condition."""

    delta_nll_per_token: float
    # delta_nll_per_token over the clean nll_per_token.
    relative_nll: float
    delta_rougeL: float  # noqa: N815
    success_relative_nll: list[Rate]
    success_rougeL_drop: list[Rate]  # noqa: N815


# attack: chosen by gradient. random: as many random tokens, nothing searched. random_search: the attack's own loop at
# equal cost, with candidates drawn at random instead of by gradient.
Perturbed = Literal["attack", "random", "random_search"]


class Attacked(Part):
    """One model under one attack and its two controls."""

    effort: dict[Perturbed, Effort]
    conditions: dict[Literal["clean", "attack", "random", "random_search"], Condition]
    damage: dict[Perturbed, Damage]


class Strength(Part):
    """Mean attacked loss after so many flips; 0 is the clean loss."""

    flips: Count
    nll_per_token: Nats
    random_nll_per_token: Nats
    random_search_nll_per_token: Nats


class HotflipModel(Attacked):
    """One model under HotFlip."""

    curve: list[Strength]
    # Mean number of tokens that differ from the original.
    effective_flips: dict[Perturbed, float]
    # Examples with fewer attackable tokens than flips.
    short_examples: Count
    # Spearman's, of estimated and exact loss changes over random single substitutions; null where one does not vary.
    first_order_correlation: Annotated[float, Field(ge=-1, le=1)] | None


class Hotflip(Identity):
    """hotflip_results.json."""

    stage: Literal["hotflip"]
    attack_seed: int
    checkpoints: dict[Model, Sha256]
    attack: dict[str, Any]
    n: Annotated[int, Field(gt=0)]
    models: dict[Model, HotflipModel]


class Trigger(Part):
    """One trigger that was searched; the random control draws one of its own for each example (examples.csv)."""

    ids: list[int] = Field(min_length=1)
    text: str
    # On the attack-optimization split, after the search.
    search_nll_per_token: Nats


class UatModel(Attacked):
    """One model under its own trigger."""

    triggers: dict[Literal["attack", "random_search"], Trigger]
    # Loss per token on the attack-optimization split: the first random start, then the best trigger after each sweep.
    trace: list[float]


class Uat(Identity):
    """uat_results.json."""

    stage: Literal["uat"]
    attack_seed: int
    checkpoints: dict[Model, Sha256]
    attack: dict[str, Any]
    n: Annotated[int, Field(gt=0)]
    n_optimization: Annotated[int, Field(gt=0)]
    models: dict[Model, UatModel]
    # transfer[source][target]: the source's trigger on the target model.
    transfer: dict[Model, dict[Model, Damage]]


class SplitFacts(Part):
    """One split of the corpus."""

    examples: Annotated[int, Field(gt=0)]
    # Examples by the data set or domain that they came from.
    sources: dict[str, Annotated[int, Field(gt=0)]]
    # Before truncation.
    document_tokens: Lengths
    reference_tokens: Lengths
    # Longer than what fits into an input, or a target.
    truncated_documents: Count
    truncated_references: Count
    # Tokens of documents and references that the tokenizer has no id for.
    unknown_tokens: Count
    digest: Sha256


class PretrainingFacts(Part):
    """What a standard model that starts from scratch is trained on."""

    examples: Annotated[int, Field(gt=0)]
    tasks: dict[str, Annotated[int, Field(gt=0)]]
    # As packed, prefix and end of sequence included.
    input_tokens: Lengths
    target_tokens: Lengths
    digest: Sha256


class DataStatistics(Part):
    """data_statistics.json."""

    schema_version: Literal[1]
    study: str
    scale: str
    source: str
    splits: dict[str, SplitFacts]
    # Null where the standard model comes from the hub.
    pretraining: PretrainingFacts | None
    # Documents that two splits share ("<split>/<split>"); every count must be 0.
    overlaps: dict[str, Annotated[int, Field(ge=0, le=0)]]
    # How many documents were dropped as duplicates: "<split>/<source> copies <split>/<source>", the first copy last.
    duplicates_dropped: dict[str, Count]
    # Rows left out because document or summary is empty, by the parameter that names their source.
    empty_dropped: dict[str, Count]
    vocabulary: Count
    # Ids that an attack may use: no special ones, and with a tokenizer trained here, none that training never showed.
    attack_vocabulary: Count
    tokenizer_digest: Sha256
    data_digest: Sha256


class Final(Identity):
    """final_results.json: the run on one page. `metrics` maps a metric's name to its value for each model."""

    stage: Literal["collect"]
    attack_seed: int
    checkpoints: dict[Model, Sha256]
    metrics: dict[str, dict[Model, float]]


FILES: dict[str, type[Part]] = {
    "baseline_training.json": Training,
    "monotonic_training.json": Training,
    "evaluation_results.json": Evaluation,
    "uat_results.json": Uat,
    "hotflip_results.json": Hotflip,
    "final_results.json": Final,
    "data_statistics.json": DataStatistics,
}


def read(path: Path, kind: type[Part] | None = None) -> Any:
    """The typed content of a result file; its kind by its name, or `kind`.

    Raises:
        BadInput: missing, not JSON, NaN, or against the schema; names the file and the key's path.
    """
    content = files.read_json(path)
    return validate(content, kind or FILES[path.name], path)


def validate(content: Any, kind: type[Part], path: Path) -> Any:
    """`content` as a `kind`.

    Raises:
        BadInput: against the schema; names the file and the key's path.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        more = f" (and {len(error.errors()) - 1} more)" if len(error.errors()) > 1 else ""
        raise files.BadInput(f"{path}: {key}: {first['msg']}{more}") from error


def write(path: Path, content: dict[str, Any], kind: type[Part]) -> None:
    """Validate and write a result file."""
    validate(content, kind, path)
    files.write_json(path, content)
