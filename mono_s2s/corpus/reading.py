"""What stage corpus left, as every later stage reads it: token ids, packed in one place.

Texts are tokenized once, by stage corpus. From there on only ids travel: an attack that decodes and re-encodes changes
tokens that it never meant to touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tokenizers import Tokenizer

from mono_s2s import files
from mono_s2s.files import BadInput

ENCODING_KEYS = (
    "architecture",
    "prefix_ids",
    "pad_id",
    "eos_id",
    "start_id",
    "vocabulary",
    "forbidden_ids",
    "max_input_tokens",
    "max_target_tokens",
    "data_digest",
)


@dataclass(frozen=True)
class Example:
    """A document and its reference summaries; of a text, the context (none in a block) and its continuation."""

    example_id: str
    # The data set (or domain) that it came from.
    source: str
    document: str
    references: tuple[str, ...]
    # Without prefix and end of sequence; fits into an input without a trigger. May be empty for a decoder-only model.
    document_ids: tuple[int, ...]
    # One for each reference; a summary ends in the end of sequence, a continuation need not.
    reference_ids: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Pair:
    """One training example, ready for the model: a packed input and its target.

    An encoder-decoder model reads the input in its encoder, a decoder-only model input and target as one sequence.
    """

    input_ids: tuple[int, ...]
    target_ids: tuple[int, ...]


@dataclass(frozen=True)
class Encoding:
    """How texts became ids, and how ids become a model's input."""

    architecture: Literal["encoder-decoder", "decoder-only"]
    # A task's words; for a decoder-only model, the one token that a text begins with.
    prefix_ids: tuple[int, ...]
    pad_id: int
    eos_id: int
    # What the decoder starts from; for a decoder-only model, the prefix.
    start_id: int
    # Ids 0 .. vocabulary - 1 belong to the tokenizer; a model's embedding may have more rows.
    vocabulary: int
    # Special, sentinel and unknown tokens, and ids that no training text holds: never attacked, never used to attack.
    forbidden_ids: frozenset[int]
    max_input_tokens: int
    max_target_tokens: int
    # SHA-256 over the digests of all splits and the tokenizer.
    data_digest: str
    _tokenizer: Tokenizer = field(repr=False, compare=False)

    @property
    def closing_ids(self) -> tuple[int, ...]:
        """What ends an input: the end of sequence; nothing where the target goes on from the input."""
        return (self.eos_id,) if self.architecture == "encoder-decoder" else ()

    def room(self, reserve: int = 0) -> int:
        """How many document tokens fit beside prefix, end of sequence and `reserve` trigger tokens.

        Raises:
            BadInput: none.
        """
        left = self.max_input_tokens - len(self.prefix_ids) - reserve - len(self.closing_ids)
        if reserve < 0 or left < 1:
            raise BadInput(
                f"corpus.max_input_tokens: {self.max_input_tokens} leaves no room for the document beside a prefix of "
                f"{len(self.prefix_ids)} tokens and {reserve} trigger tokens: make it larger"
            )
        return left

    def pack(self, document_ids: Sequence[int], trigger: Sequence[int] = (), reserve: int = 0) -> list[int]:
        """A model's input: prefix, trigger, document cut to what is left, end of sequence (`closing_ids`).

        Room for the trigger is taken from the document, so a trigger is never cut off: from a summarized document's
        end; from a context's beginning, so that its continuation still follows on it. With `reserve` at the trigger's
        length, the clean and the attacked input hold the same part of the document.

        Args:
            document_ids: the document's ids, without prefix and end of sequence.
            trigger: ids to stand right after the prefix.
            reserve: leave at least this many tokens for a trigger, whether there is one or not.

        Raises:
            BadInput: prefix and trigger leave no room for the document.
        """
        room = self.room(max(len(trigger), reserve))
        document = list(document_ids[:room] if self.architecture == "encoder-decoder" else document_ids[-room:])
        packed = [*self.prefix_ids, *trigger, *document, *self.closing_ids]
        start = len(self.prefix_ids)
        # The published attack lost its trigger to truncation without a word; this must stay impossible.
        if packed[start : start + len(trigger)] != list(trigger) or len(packed) > self.max_input_tokens:
            raise AssertionError("the packed input does not hold the whole trigger")
        return packed

    def forbidden(self, rows: int) -> frozenset[int]:
        """`forbidden_ids` and the ids from `vocabulary` to `rows` - 1, which no text can have.

        Args:
            rows: rows of the model's embedding matrix.

        Raises:
            BadInput: the embedding has fewer rows than the tokenizer has ids.
        """
        if rows < self.vocabulary:
            raise BadInput(
                f"the model's embedding has {rows} rows, the corpus's tokenizer {self.vocabulary} ids: "
                "corpus.tokenizer and standard must name the same model"
            )
        return self.forbidden_ids | frozenset(range(self.vocabulary, rows))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; special and sentinel tokens, ids beyond the tokenizer and outer white space left out."""
        known = [int(i) for i in ids if 0 <= int(i) < self.vocabulary]
        return self._tokenizer.decode(known, skip_special_tokens=True).strip()


def read_encoding(data: Path) -> Encoding:
    """The encoding of a corpus folder.

    Raises:
        BadInput: encoding.json or the tokenizer is missing or is not what stage corpus writes.
    """
    path = data / "encoding.json"
    content = files.read_json(path)
    found = sorted(content) if isinstance(content, dict) else []
    if found != sorted(("schema_version", *ENCODING_KEYS)) or content["schema_version"] != 2:
        raise BadInput(f"{path}: not an encoding of schema version 2: run stage corpus again")
    vocabulary = data / "tokenizer" / "tokenizer.json"
    if not vocabulary.is_file():
        raise BadInput(f"{vocabulary}: missing: run stage corpus again")
    try:
        tokenizer = Tokenizer.from_file(str(vocabulary))
    except Exception as error:  # the library raises bare Exception
        raise BadInput(f"{vocabulary}: not a tokenizer ({error}): run stage corpus again") from error
    values = {key: content[key] for key in ENCODING_KEYS}
    values["prefix_ids"] = tuple(values["prefix_ids"])
    values["forbidden_ids"] = frozenset(values["forbidden_ids"])
    return Encoding(**values, _tokenizer=tokenizer)


def _rows(path: Path, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = files.read_jsonl(path)
    for number, row in enumerate(rows, start=1):
        if sorted(row) != sorted(keys):
            raise BadInput(f"{path}, line {number}: has {sorted(row)}, not {sorted(keys)}: run stage corpus again")
    if not rows:
        raise BadInput(f"{path}: empty: run stage corpus again")
    return rows


def read_split(data: Path, name: str) -> list[Example]:
    """The examples of a split, in order: train, validation, attack_optimization, attack_evaluation, test_<name>.

    Raises:
        BadInput: the split is missing, empty or not what stage corpus writes.
    """
    keys = ("example_id", "source", "document", "references", "document_ids", "reference_ids")
    return [
        Example(
            example_id=row["example_id"],
            source=row["source"],
            document=row["document"],
            references=tuple(row["references"]),
            document_ids=tuple(row["document_ids"]),
            reference_ids=tuple(tuple(ids) for ids in row["reference_ids"]),
        )
        for row in _rows(data / f"{name}.jsonl", keys)
    ]


def test_sets(data: Path) -> list[str]:
    """The names of the test sets, sorted, as the scale file has them; `read_split(data, f"test_{name}")` reads one.

    Raises:
        BadInput: there is none.
    """
    names = sorted(path.stem.removeprefix("test_") for path in data.glob("test_*.jsonl"))
    if not names:
        raise BadInput(f"{data}: holds no test_<name>.jsonl: run stage corpus first")
    return names


# Pytest would take the function for a test wherever it is imported.
test_sets.__test__ = False  # type: ignore[attr-defined]


def read_pretraining(data: Path) -> list[Pair]:
    """The pretraining pairs of a standard model that is trained from scratch, in training order.

    Raises:
        BadInput: there are none (a corpus for a hub model), or they are not what stage corpus writes.
    """
    return [
        Pair(input_ids=tuple(row["input_ids"]), target_ids=tuple(row["target_ids"]))
        for row in _rows(data / "pretraining.jsonl", ("task", "input_ids", "target_ids"))
    ]
