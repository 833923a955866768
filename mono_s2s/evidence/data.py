"""data_statistics.json: what stage corpus says about its splits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mono_s2s.evidence.parts import Count, Lengths, Part, Positive, Sha256


class SplitFacts(Part):
    """One split of the corpus."""

    examples: Positive
    # Examples by the data set or domain that they came from.
    sources: dict[str, Positive]
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

    examples: Positive
    tasks: dict[str, Positive]
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
    # Rows left out because document or summary is empty, or the text too short to be attacked, by the parameter that
    # names their source.
    empty_dropped: dict[str, Count]
    vocabulary: Count
    # Ids that an attack may use: no special ones, and with a tokenizer trained here, none that training never showed.
    attack_vocabulary: Count
    tokenizer_digest: Sha256
    data_digest: Sha256
