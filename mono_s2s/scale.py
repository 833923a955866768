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
from pydantic import Field, ValidationError, model_validator

from mono_s2s.files import BadInput
from mono_s2s.sources import Commit, Corpus, Count, Positive, Section, Share, TextCorpus

# What each study's models do.
TASKS = {"t5_experiments": "summarization", "foundation_llm_experiments": "language modelling"}
STUDIES = tuple(TASKS)
ARMS = ("baseline", "monotonic")
MODELS = ("standard", *ARMS)


class Compute(Section):
    """Where and how numbers are computed."""

    device: Literal["cpu", "cuda"]
    # Changes the bits of every sum, so it is part of what a result depends on.
    threads: Count
    precision: Literal["fp32", "bf16"]


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


class ScratchDecoder(Section):
    """A decoder-only model trained from scratch by the pipeline."""

    kind: Literal["scratch"]
    # gpt_neox as Pythia: GELU; llama: gated SiLU.
    architecture: Literal["gpt_neox", "llama"]
    # The standard model is shared by all seeds, so its own seed is data, not the run's.
    model_seed: int
    width: Count
    heads: Count
    feed_forward: Count
    layers: Count
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
    # What each means in each architecture: models.monotone.MATRICES.
    scope: Literal["mlp_in", "mlp_both", "mlp_in_attn_out", "gated_updown", "gated_all"]


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


class MultipleChoice(Section):
    """Accuracy on multiple-choice tasks by lm-evaluation-harness, without further training."""

    # The harness's names, such as lambada_openai, hellaswag, winogrande.
    tasks: list[str] = Field(min_length=1)
    # A folder with task files of your own, relative to the top folder.
    folder: str | None = None
    batch_size: Count
    # Examples of each task (all of them if null), the first ones.
    limit: Count | None = None


class Scoring(Section):
    """How the losses of texts are taken; nothing is generated."""

    batch_size: Count


class EvaluateText(Section):
    """Stage evaluate of a decoder-only study."""

    decoding: Scoring
    # Resamples of the blocks for the intervals of the perplexity.
    resamples: Count
    # Blocks of each test set (all of them if null), the same for every model and seed.
    limit: Count | None = None
    # Needs the extra mono-s2s[harness].
    multiple_choice: MultipleChoice | None = None


class Success(Section):
    """An attack succeeds on an example where it does at least this much; declared beforehand."""

    # Relative increase of the example's negative log-likelihood.
    relative_nll: list[Positive] = Field(min_length=1)
    # Absolute drop of the example's ROUGE-L.
    rougeL_drop: list[Positive] = Field(min_length=1)  # noqa: N815 - the metric's name


class SuccessText(Section):
    """The same where nothing is generated."""

    relative_nll: list[Positive] = Field(min_length=1)
    # Increase in nats per scored token.
    absolute_nll: list[Positive] = Field(min_length=1)


class _Flips(Section):
    flips: Count
    # (position, token) pairs, best by first-order estimate, that are tried by exact loss before each flip.
    candidates: Count
    batch_size: Count


class Hotflip(_Flips):
    """Stage hotflip: greedy token substitution, one flip at a time."""

    success: Success


class HotflipText(_Flips):
    """Stage hotflip of a decoder-only study."""

    success: SuccessText


class _Triggers(Section):
    trigger_tokens: Count
    # Sweeps over all trigger positions.
    iterations: Count
    # Tokens, best by first-order estimate, that are tried by exact loss at each position.
    candidates: Count
    # Examples whose gradient and loss decide one step.
    batch_size: Count
    restarts: Count


class Uat(_Triggers):
    """Stage uat: one trigger for all examples, right after the prefix."""

    success: Success


class UatText(_Triggers):
    """Stage uat of a decoder-only study: the trigger stands before the context."""

    success: SuccessText


class _Study(Section):
    compute: Compute
    train: Train

    @model_validator(mode="after")
    def _precision_fits(self) -> Self:
        if self.compute.precision == "bf16" and self.compute.device == "cpu":
            raise ValueError("compute.precision bf16 is for device cuda: it is slower and coarser on a CPU")
        return self


class SummarizationStudy(_Study):
    """An encoder-decoder study at one scale: a subsection a stage."""

    corpus: Corpus
    standard: Annotated[ScratchModel | PretrainedModel, Field(discriminator="kind")]
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
        return self


class LanguageModelStudy(_Study):
    """A decoder-only study at one scale: a subsection a stage."""

    corpus: TextCorpus
    standard: Annotated[ScratchDecoder | PretrainedModel, Field(discriminator="kind")]
    evaluate: EvaluateText
    uat: UatText
    hotflip: HotflipText

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.standard.kind == "scratch" and self.corpus.pretraining is None:
            raise ValueError("standard.kind is scratch, so corpus.pretraining must say what it is trained on")
        if self.uat.trigger_tokens + self.corpus.continuation_tokens + 8 > self.corpus.block_tokens:
            raise ValueError("uat.trigger_tokens leaves no room for the context in corpus.block_tokens")
        return self


Study = SummarizationStudy | LanguageModelStudy


class Scale(Section):
    """A scale file: a section a study; one that it lacks cannot be run at this scale."""

    t5_experiments: SummarizationStudy | None = None
    foundation_llm_experiments: LanguageModelStudy | None = None

    def study(self, name: str) -> Study:
        """The section of one study.

        Raises:
            BadInput: the scale has none.
        """
        found = getattr(self, name)
        if found is None:
            raise BadInput(f"scale: it has no section {name}: write one, or choose a scale that has it")
        return found


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
        tags = {"generated", "jsonl", "files", "hub", "train", "load", "scratch", "pretrained"}
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
