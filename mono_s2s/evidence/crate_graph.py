"""The entities of an RO-Crate: files, digests of what is not in it, parameters, software, authors.

RO-Crate Metadata Specification 1.1 (https://w3id.org/ro/crate/1.1); Workflow Run RO-Crate profiles 0.5
(https://w3id.org/ro/wfrun).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from mono_s2s import files
from mono_s2s.evidence.citation import Citation
from mono_s2s.evidence.payload import DESCRIPTOR, Payload
from mono_s2s.files import BadInput

CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
FORMATS = {
    ".bib": "application/x-bibtex",
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".html": "text/html",
    ".j2": "text/x-jinja2",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".py": "text/x-python",
    ".sty": "text/x-tex",
    ".tex": "text/x-tex",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
    "dvc.lock": "application/yaml",
}
Reference = dict[str, str]


def reference(identifier: str) -> Reference:
    """How one entity names another."""
    return {"@id": identifier}


def path_id(path: str) -> str:
    """The id of a file of the payload."""
    return quote(path)


def leaves(content: Any, key: str = "") -> Iterable[tuple[str, Any]]:
    """The single values of nested parameters, by dotted key; a list is one value."""
    if isinstance(content, Mapping) and content:
        for name, part in content.items():
            yield from leaves(part, f"{key}.{name}" if key else str(name))
    else:
        yield key, content


def _data_type(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    return "Integer" if isinstance(value, int) else "Float" if isinstance(value, float) else "Text"


class Graph:
    """Entities by id. Adding one twice is fine as long as both say the same."""

    def __init__(self, payload: Payload, sha256: Mapping[tuple[str, str], str]) -> None:
        """Start from the files.

        Args:
            payload: what lies in the crate.
            sha256: SHA-256 of what does not (a checkpoint's weights), by path and MD5.
        """
        self.payload, self._sha256 = payload, sha256
        self.entities: dict[str, dict[str, Any]] = {}
        # Stage collect files what heavy stages left under another name.
        self._copies = {file.md5: path for path, file in reversed(payload.files.items())}
        for path, file in payload.files.items():
            suffix = PurePosixPath(path).suffix
            self.add(
                path_id(path),
                "File",
                name=path,
                contentSize=str(len(file.content)),
                sha256=file.sha256,
                encodingFormat=FORMATS.get(PurePosixPath(path).name) or FORMATS.get(suffix, "text/plain"),
            )

    def add(self, identifier: str, kind: str | list[str], /, **properties: Any) -> Reference:
        """Add an entity; properties that are None or empty are left out.

        Raises:
            BadInput: there is another one with this id.
        """
        entity = {"@id": identifier, "@type": kind}
        for name, value in properties.items():
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            if value is not None and value != []:
                entity[name] = value
        if self.entities.setdefault(identifier, entity) != entity:
            raise BadInput(f"crate: two different things are called {identifier}: run `dvc repro`")
        return reference(identifier)

    def describe(self, identifier: str, /, **properties: Any) -> None:
        """Give an entity further properties, in place of those it has."""
        entity = self.entities[identifier]
        for name, value in properties.items():
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            if value is not None and value != []:
                entity[name] = value

    def artifacts(self, digests: Mapping[str, str]) -> list[Reference]:
        """References to files or folders that a stage read or wrote, by path and MD5.

        What the crate holds, with this MD5, is a file of it (a folder, all its files). Anything else has an entity with
        its digest alone.
        """
        found = []
        for path, md5 in digests.items():
            if self.payload.md5(path) == md5:
                names = [path] if path in self.payload.files else self.payload.below(path)
                found += [reference(path_id(name)) for name in names]
            else:
                found.append(self._digest(path, md5))
        return found

    def _digest(self, path: str, md5: str) -> Reference:
        folder = md5.endswith(".dir")
        if copy := self._copies.get(md5):
            where = f"this crate holds the same bytes as {copy}"
        elif self.payload.md5(path) is not None:
            where = "this crate holds another version"
        else:
            where = "not in this crate"
        weights = ", SHA-256 of its weights" if (path, md5) in self._sha256 else ""
        return self.add(
            f"#artifact/{md5}/{quote(path)}",
            "CreativeWork",
            name=path,
            description=f"{'Folder' if folder else 'File'}, {where}; MD5 as in dvc.lock{weights}",
            md5=md5,
            sha256=self._sha256.get((path, md5)),
        )

    def values(self, parameters: Mapping[str, Any], where: str) -> dict[str, Reference]:
        """PropertyValues and their FormalParameters for nested parameters; by the FormalParameter's id."""
        found = {}
        for key, value in leaves(parameters):
            identifier = f"#parameter/{quote(key)}"
            if identifier not in self.entities:
                self.add(identifier, "FormalParameter", name=key, additionalType=_data_type(value))
            formal = reference(identifier)
            plain = value if isinstance(value, int | float | str) else json.dumps(value, ensure_ascii=False)
            found[identifier] = self.add(
                f"#value/{quote(key)}/{files.digest([where, value])[:12]}",
                "PropertyValue",
                name=key,
                value=plain,
                description=where,
                exampleOfWork=formal,
            )
        return found

    def software(self, versions: Mapping[str, str]) -> list[Reference]:
        """A SoftwareApplication for each recorded package and version."""
        found = []
        for name, version in sorted(versions.items()):
            public, _, build = version.partition("+")
            if name == "python":
                url, identifier = "https://www.python.org/", f"https://www.python.org/#{quote(version)}"
            else:
                url = f"https://pypi.org/project/{quote(name)}/"
                identifier = f"{url}{quote(public)}/" + (f"#{quote(build)}" if build else "")
            called = "Python" if name == "python" else name
            found.append(self.add(identifier, "SoftwareApplication", name=called, softwareVersion=version, url=url))
        return found

    def authors(self, citation: Citation) -> list[Reference]:
        """A Person or an Organization for each author of CITATION.cff."""
        found = []
        for number, author in enumerate(citation.authors, start=1):
            home = None
            if author.affiliation:
                home = self.add(f"#affiliation/{quote(author.affiliation)}", "Organization", name=author.affiliation)
            identifier = author.orcid or author.website or f"#author/{number}"
            kind = "Person" if author.person else "Organization"
            name = author.called()
            found.append(self.add(identifier, kind, name=name, affiliation=home, url=author.website))
        return found

    def document(self) -> dict[str, Any]:
        """The content of ro-crate-metadata.json: the descriptor, the root, then everything by id."""
        first = (DESCRIPTOR, "./")
        rest = sorted(set(self.entities) - set(first))
        return {"@context": CONTEXT, "@graph": [self.entities[name] for name in (*first, *rest)]}
