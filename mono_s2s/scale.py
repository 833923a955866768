"""The scales, typed once.

`scales/<scale>.yaml` holds one section a study, and in it one subsection a stage, under the stage's name. Unknown
keys, wrong types and impossible values are errors that name the key's path. What params.yaml holds is typed in
`params`, which heavy stages do not import: what a user selects is no part of what a run depends on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mono_s2s.files import BadInput

Count = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]

STUDIES = ("t5_experiments",)
ARMS = ("baseline", "monotonic")
MODELS = ("standard", *ARMS)


class Section(BaseModel):
    """A part of a parameter file: typed, frozen, and closed to keys that nobody declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Compute(Section):
    """Where and how numbers are computed."""

    device: Literal["cpu", "cuda"]
    # Changes the bits of every sum, so it is part of what a result depends on.
    threads: Count
    precision: Literal["fp32", "bf16"]


class GeneratedSource(Section):
    """Documents that the project writes itself, seeded."""

    kind: Literal["generated"]
    data_seed: int
    train: Count
    validation: Count
    test: dict[Literal["news", "dialogue"], Count]
    attack_optimization: Count
    attack_evaluation: Count


class JsonlFile(Section):
    """One JSONL file and what its fields are called."""

    # Relative to the top folder; in data/<scale>/, which stage corpus depends on.
    path: str
    document: str
    # One field, or several that each hold a reference summary.
    references: list[str] = Field(min_length=1)
    # Without it, the line number identifies the example.
    identifier: str | None = None


class JsonlSource(Section):
    """Documents from JSONL files; splits are cut from them by `data_seed`."""

    kind: Literal["jsonl"]
    data_seed: int
    # Training, validation and attack-optimization examples are cut from these files ...
    train: list[JsonlFile] = Field(min_length=1)
    validation: Count
    attack_optimization: Count
    # ... test and attack-evaluation examples from these, by the name of the test set.
    test: dict[str, JsonlFile] = Field(min_length=1)
    attack_evaluation: Count


# A branch or a tag moves; a commit means the same bytes next year.
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class HubData(Section):
    """One split of one data set on the hub, at one revision."""

    name: str
    configuration: str | None = None
    # Null: not chosen yet; stage corpus then stops and says where to find it.
    revision: Commit | None
    split: str
    document: str
    references: list[str] = Field(min_length=1)
    identifier: str | None = None
    # Take the whole split, or a seeded random sample of this size.
    limit: Count | None = None


class HubSource(Section):
    """Documents from the Hugging Face hub."""

    kind: Literal["hub"]
    data_seed: int
    train: list[HubData] = Field(min_length=1)
    validation: list[HubData] = Field(min_length=1)
    test: dict[str, HubData] = Field(min_length=1)
    attack_optimization: HubData
    attack_evaluation: HubData
    retries: Count = 3
    retry_seconds: Positive = 10.0


class TrainedTokenizer(Section):
    """A byte-pair tokenizer trained on the training and pretraining text."""

    kind: Literal["train"]
    vocabulary: Count


class LoadedTokenizer(Section):
    """The tokenizer of a hub model."""

    kind: Literal["load"]
    name: str
    revision: Commit


class Pretraining(Section):
    """The multi-task mix from which the standard model is trained from scratch; shares add up to 1."""

    documents: Count
    mix: dict[str, Share]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if abs(sum(self.mix.values()) - 1) > 1e-9:
            raise ValueError(f"shares add up to {sum(self.mix.values()):g}, not to 1")
        return self


# The pretraining tasks that each kind of source offers (corpus/pretraining.py).
GENERATED_TASKS = ("headline", "record", "span")
TEXT_TASKS = ("gap", "lead", "span")


class Corpus(Section):
    """Stage corpus."""

    source: Annotated[GeneratedSource | JsonlSource | HubSource, Field(discriminator="kind")]
    prefix: str
    # Lengths in tokens; the document's counts prefix and end-of-sequence in.
    max_input_tokens: Count
    max_target_tokens: Count
    tokenizer: Annotated[TrainedTokenizer | LoadedTokenizer, Field(discriminator="kind")]
    # Only where the standard model is trained from scratch.
    pretraining: Pretraining | None = None

    @model_validator(mode="after")
    def _tasks_known(self) -> Self:
        tasks = GENERATED_TASKS if self.source.kind == "generated" else TEXT_TASKS
        for name in self.pretraining.mix if self.pretraining is not None else ():
            if name not in tasks:
                raise ValueError(
                    f"corpus.pretraining.mix.{name}: no task of a {self.source.kind} source (tasks: {', '.join(tasks)})"
                )
        return self


class Optimization(Section):
    """One training run: AdamW with linear warm-up and linear decay."""

    epochs: Count
    batch_size: Count
    accumulation: Count = 1
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_ratio: Share
    max_gradient_norm: Positive
    dropout: Share
    gradient_checkpointing: bool = False


class ScratchModel(Section):
    """A T5 trained from scratch by the pipeline."""

    kind: Literal["scratch"]
    # The standard model is shared by all seeds, so its own seed is data, not the run's.
    model_seed: int
    width: Count
    head_width: Count
    heads: Count
    feed_forward: Count
    encoder_layers: Count
    decoder_layers: Count
    optimization: Optimization


class PretrainedModel(Section):
    """A model from the hub, at one revision."""

    kind: Literal["pretrained"]
    name: str
    # Where the name alone would do, transformers asks the hub to convert a pickle; at a commit it reads what is there.
    revision: Commit


class Constraint(Section):
    """Which weights are constrained, and how."""

    mode: Literal["nonneg", "sign_frozen", "abs_init_free"]
    scope: Literal["mlp_both"]


class Train(Section):
    """Stage train: both arms share `optimization`, so that only the constraint differs between them."""

    optimization: Optimization
    constraint: Constraint


class Decoding(Section):
    """Beam search, the same for every model."""

    batch_size: Count
    beams: Count
    length_penalty: float
    min_new_tokens: Annotated[int, Field(ge=0)]
    max_new_tokens: Count
    no_repeat_ngram: Annotated[int, Field(ge=0)]


class Evaluate(Section):
    """Stage evaluate."""

    decoding: Decoding
    # Resamples of the examples for the intervals of the mean scores.
    resamples: Count
    # Examples of each test set (all of them if null), the same for every model and seed.
    limit: Count | None = None


class Success(Section):
    """An attack succeeds on an example where it does at least this much; declared beforehand."""

    # Relative increase of the example's negative log-likelihood.
    relative_nll: list[Positive] = Field(min_length=1)
    # Absolute drop of the example's ROUGE-L.
    rougeL_drop: list[Positive] = Field(min_length=1)  # noqa: N815 - the metric's name


class Hotflip(Section):
    """Stage hotflip: greedy token substitution, one flip at a time."""

    flips: Count
    # (position, token) pairs, best by first-order estimate, that are tried by exact loss before each flip.
    candidates: Count
    batch_size: Count
    success: Success


class Uat(Section):
    """Stage uat: one trigger for all examples, right after the prefix."""

    trigger_tokens: Count
    # Sweeps over all trigger positions.
    iterations: Count
    # Tokens, best by first-order estimate, that are tried by exact loss at each position.
    candidates: Count
    # Examples whose gradient and loss decide one step.
    batch_size: Count
    restarts: Count
    success: Success


class Study(Section):
    """One study at one scale: a subsection a stage."""

    compute: Compute
    corpus: Corpus
    standard: Annotated[ScratchModel | PretrainedModel, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    uat: Uat
    hotflip: Hotflip

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.standard.kind == "scratch" and self.corpus.pretraining is None:
            raise ValueError("standard.kind is scratch, so corpus.pretraining must say what it is trained on")
        if self.uat.trigger_tokens + 8 > self.corpus.max_input_tokens:
            raise ValueError("uat.trigger_tokens leaves no room for the document in corpus.max_input_tokens")
        if self.evaluate.decoding.min_new_tokens > self.evaluate.decoding.max_new_tokens:
            raise ValueError("evaluate.decoding.min_new_tokens is above max_new_tokens")
        if self.compute.precision == "bf16" and self.compute.device == "cpu":
            raise ValueError("compute.precision bf16 is for device cuda: it is slower and coarser on a CPU")
        return self


class Scale(Section):
    """A scale file."""

    t5_experiments: Study

    def study(self, name: str) -> Study:
        """The section of one study."""
        return getattr(self, name)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        BadInput: the file is missing or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{path}: missing") from error
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error


def typed(model: type[Section], content: Any, where: str) -> Any:
    """`content` as a `model`.

    Raises:
        BadInput: a key is missing, unknown, or has an impossible value; names the file and the key's path.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        tags = {"generated", "jsonl", "hub", "train", "load", "scratch", "pretrained"}
        steps = list(first["loc"])
        # A discriminated union puts the chosen tag into the path; it is not a key of the file.
        walked: list[str] = []
        node = content
        for step in steps:
            if isinstance(node, Mapping) and step not in node and step in tags:
                continue
            walked.append(str(step))
            node = node.get(step) if isinstance(node, Mapping) else None
        key = ".".join(walked) or "the file"
        more = f" (and {len(error.errors()) - 1} more)" if len(error.errors()) > 1 else ""
        message = first["msg"].removeprefix("Value error, ")
        given = first.get("input")
        shown = f", not {given!r}" if isinstance(given, (str, int, float, bool)) and key != "the file" else ""
        raise BadInput(f"{where}: {key}: {message}{shown}{more}") from error


def scale_path(scale: str) -> Path:
    """Where a scale's parameters lie, relative to the top folder."""
    return Path("scales") / f"{scale}.yaml"


def load_scale(scale: str, root: Path = Path()) -> Scale:
    """The typed content of scales/<scale>.yaml.

    Raises:
        BadInput: no such scale, or a key in it is missing, unknown, or has an impossible value; names its path.
    """
    path = scale_path(scale)
    if not (root / path).is_file():
        known = ", ".join(sorted(file.stem for file in (root / "scales").glob("*.yaml")))
        raise BadInput(f"scale: {scale!r} is not one of {known} (files in scales/)")
    return typed(Scale, read_yaml(root / path), path.as_posix())


def tracked(scale: str, keys: list[str], root: Path = Path()) -> dict[str, dict[str, Any]]:
    """The parameters under dotted `keys` of a scale file, in the form in which dvc.lock records them."""
    content = read_yaml(root / scale_path(scale))
    found = {}
    for key in keys:
        node = content
        for step in key.split("."):
            node = node[step]
        found[key] = node
    return {scale_path(scale).as_posix(): found}
