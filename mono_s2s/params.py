"""params.yaml, typed: which run is selected, what the paper is built from, how seeds are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from mono_s2s.scale import STUDIES, Section, read_yaml, typed


class Statistics(Section):
    """How seeds are compared."""

    confidence: Annotated[float, Field(gt=0, lt=1)]
    alpha: Annotated[float, Field(gt=0, lt=1)]
    # Study, family, metrics.
    families: dict[Literal[STUDIES], Annotated[dict[str, list[str]], Field(min_length=1)]]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for study in STUDIES:
            if study not in self.families:
                raise ValueError(f"families has nothing for {study}: name what is tested, as for the other study")
        for study, families in self.families.items():
            named = [name for family in families.values() for name in family]
            for name in named:
                if named.count(name) > 1:
                    raise ValueError(f"families.{study}: {name} is in two families, or twice in one")
        return self


class Sweep(Section):
    """How `mono sweep` picks a variant of the constraint; declared before any variant runs, and never relaxed."""

    # Monotonic over baseline, at every seed: 1.0 allows no loss of quality at all.
    perplexity_ratio_ceiling: Annotated[float, Field(ge=1)]
    # What is to fall: a metric of an attack, of which more is worse.
    damage: Annotated[str, Field(pattern=r"^(hotflip|uat)\.(delta_nll_per_token|relative_nll|delta_rougeL|success)$")]


class Params(Section):
    """params.yaml."""

    study: Literal[STUDIES]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    scale: str
    studies: list[str]
    seeds: list[Annotated[int, Field(ge=0, lt=2**32)]] = Field(min_length=5, max_length=5)
    statistics: Statistics
    sweep: Sweep

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds holds one seed twice: a copy of a run is not another run")
        return self

    @field_validator("studies", mode="after")
    @classmethod
    def _all_of_them(cls, studies: list[str]) -> list[str]:
        if studies != list(STUDIES):
            raise ValueError(
                f"the paper is built from {' and '.join(STUDIES)}, in this order; to add up one alone, run "
                "`dvc repro paper_evidence/dvc.yaml:aggregate@<study>`"
            )
        return studies


def load_params(root: Path = Path()) -> Params:
    """The typed content of params.yaml.

    Raises:
        BadInput: a key is missing, unknown, or has an impossible value; names its path.
    """
    return typed(Params, read_yaml(root / "params.yaml"), "params.yaml")
