"""CITATION.cff, typed, and what is made from it: .zenodo.json and the authors and licence of a crate."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mono_s2s import files
from mono_s2s.files import BadInput

FILE = "CITATION.cff"
ZENODO = ".zenodo.json"


class _Part(BaseModel):
    """Closed: a key that nothing here reads would be lost on the way to Zenodo without a word."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Author(_Part):
    """A person (given and family names) or an entity (name)."""

    name: str | None = None
    given_names: str | None = Field(None, alias="given-names")
    family_names: str | None = Field(None, alias="family-names")
    affiliation: str | None = None
    orcid: str | None = Field(None, pattern=r"^https://orcid\.org/\d{4}-\d{4}-\d{4}-\d{3}[\dX]$")
    website: str | None = None

    @property
    def person(self) -> bool:
        """Whether this is a person rather than an entity."""
        return self.name is None

    def called(self, order: Literal["given", "family"] = "given") -> str:
        """The name in reading order, or family name first."""
        if self.name is not None:
            return self.name
        parts = [part for part in (self.given_names, self.family_names) if part]
        return " ".join(parts) if order == "given" else ", ".join(reversed(parts))


class Citation(_Part):
    """CITATION.cff: the keys of CFF 1.2.0 that this project uses."""

    cff_version: Literal["1.2.0"] = Field(alias="cff-version")
    message: str
    type: Literal["software"]
    title: str
    abstract: str
    version: str
    license: str
    authors: list[Author] = Field(min_length=1)
    keywords: list[str] = []
    doi: str | None = None
    repository_code: str | None = Field(None, alias="repository-code")
    date_released: str | None = Field(None, alias="date-released", pattern=r"^\d{4}-\d\d-\d\d$")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Dates stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in _Loader.yaml_implicit_resolvers.items()
}


def load(root: Path = Path()) -> Citation:
    """The typed content of CITATION.cff.

    Raises:
        BadInput: missing, not YAML, or a key is missing, unknown or malformed; names it.
    """
    try:
        return Citation.model_validate(yaml.load((root / FILE).read_text(encoding="utf-8"), Loader=_Loader))
    except FileNotFoundError as error:
        raise BadInput(
            f"{FILE}: missing: it says who made this and under which licence; write one (CFF 1.2.0)"
        ) from error
    except yaml.YAMLError as error:
        raise BadInput(f"{FILE}: not valid YAML ({' '.join(str(error).split())}): mend it") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"]) or "the file"
        raise BadInput(f"{FILE}: {key}: {first['msg']}: see CFF 1.2.0 and mono_s2s/evidence/citation.py") from error


def _creator(author: Author) -> dict[str, str]:
    found = {"name": author.called("family"), "affiliation": author.affiliation}
    if author.orcid:
        found["orcid"] = author.orcid.rpartition("/")[2]
    return {key: value for key, value in found.items() if value}


def zenodo(citation: Citation) -> dict[str, Any]:
    """The content of .zenodo.json, the deposit that Zenodo makes of a release."""
    return {
        "creators": [_creator(author) for author in citation.authors],
        "description": citation.abstract,
        "keywords": citation.keywords,
        "license": {"id": citation.license},
        "title": citation.title,
        "upload_type": citation.type,
        "version": citation.version,
        **({"publication_date": citation.date_released} if citation.date_released else {}),
    }


def write_zenodo(path: Path, root: Path = Path()) -> None:
    """Write .zenodo.json, made from CITATION.cff.

    Raises:
        BadInput: CITATION.cff is missing or malformed; nothing is written then.
    """
    files.write_json(path, zenodo(load(root)))
