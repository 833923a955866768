"""Where a study's texts come from and how they become tokens: the scale files' sections `corpus`, typed.

Summarization needs documents with reference summaries (`Corpus`), language modelling plain text (`TextCorpus`).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A part of a parameter file: typed, frozen, and closed to keys that nobody declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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


class GeneratedText(Section):
    """Text that the project writes itself, seeded: each story and its summary make one text."""

    kind: Literal["generated"]
    data_seed: int
    # What the study is about: fine-tuning, validation, attacks and test are all of this domain.
    domain: Literal["news", "dialogue"]
    # Of the pretraining texts, which are of all domains: share that tells one event in several wordings, without the
    # story. Between stories, whose words can hardly be foreseen, that is what teaches a small model to look back.
    retold: Share
    # Numbers of texts.
    train: Count
    validation: Count
    test: Count
    attack_optimization: Count
    attack_evaluation: Count


class TextFile(Section):
    """One text file: plain (*.txt), or JSONL with the text under `field`."""

    # Relative to the top folder; in data/<scale>/, which stage corpus depends on.
    path: str
    # Null for a plain file.
    field: str | None = None

    @property
    def stem(self) -> str:
        """The file's name without folders and its last extension: what its texts are named after."""
        return self.path.rsplit("/", 1)[-1].rsplit(".", 1)[0]

    @model_validator(mode="after")
    def _field_fits(self) -> Self:
        if self.path.endswith(".jsonl") == (self.field is None):
            raise ValueError(
                f"{self.path}: a JSONL file (*.jsonl) needs `field`, the name of the field with the text; "
                "another file must not have one"
            )
        return self


class TextFiles(Section):
    """Text from files: plain ones are cut at blank lines into passages, a line of JSONL is one."""

    kind: Literal["files"]
    data_seed: int
    files: list[TextFile] = Field(min_length=1)
    # A plain file's paragraphs are joined to passages of at least so many characters.
    passage_characters: Count
    # Numbers of passages; what these and pretraining leave is trained on.
    validation: Count
    test: Count
    attack_optimization: Count
    attack_evaluation: Count

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        stems = [file.stem for file in self.files]
        for stem in stems:
            if stems.count(stem) > 1:
                raise ValueError(f"corpus.source.files: two files are called {stem!r}, their texts' ids would clash")
        return self


class HubText(Section):
    """Rows of one split of one data set on the hub, at one revision; read as a stream, so that no more is fetched."""

    name: str
    configuration: str | None = None
    revision: Commit | None
    split: str
    # The split's file in the repository (or a pattern for several), where the data set itself does not name it.
    file: str | None = None
    # The column that holds the text.
    text: str
    # Rows to pass over, then rows to take.
    skip: Annotated[int, Field(ge=0)] = 0
    limit: Count


class HubTexts(Section):
    """Text from the Hugging Face hub."""

    kind: Literal["hub"]
    data_seed: int
    train: HubText
    validation: HubText
    test: dict[str, HubText] = Field(min_length=1)
    attack_optimization: HubText
    attack_evaluation: HubText
    retries: Count = 3
    retry_seconds: Positive = 10.0


class TextPretraining(Section):
    """What a decoder-only standard model is trained from scratch on."""

    # Texts: of the pretraining domain, or the passages that are taken before training takes the rest.
    documents: Count


class TextCorpus(Section):
    """Stage corpus of a decoder-only study."""

    source: Annotated[GeneratedText | TextFiles | HubTexts, Field(discriminator="kind")]
    # Texts are packed, an end-of-text token behind each, and cut into blocks of so many tokens.
    block_tokens: Count
    # An attack example is the first block of one text. Its last tokens are scored and never touched; the rest is the
    # context, which may be attacked and is never scored.
    continuation_tokens: Count
    tokenizer: Annotated[TrainedTokenizer | LoadedTokenizer, Field(discriminator="kind")]
    # Only where the standard model is trained from scratch.
    pretraining: TextPretraining | None = None

    @model_validator(mode="after")
    def _leaves_a_context(self) -> Self:
        if self.continuation_tokens + 8 > self.block_tokens:
            raise ValueError("corpus.continuation_tokens leaves no context to attack in corpus.block_tokens")
        return self
