"""What all result files are made of: closed parts, their scalars, and how a file is held against its schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mono_s2s.files import BadInput

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
# Three names, three entries: none may be missing.
EACH_MODEL = Field(min_length=3)
Share = Annotated[float, Field(ge=0, le=1)]
Nats = Annotated[float, Field(ge=0)]
Model = Literal["standard", "baseline", "monotonic"]
Arm = Literal["baseline", "monotonic"]


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
        raise BadInput(f"{path}: {key}: {first['msg']}{more}") from error
