"""An RO-Crate of the paper's evidence: what ran, with what, what came of it, and all of it in one zip.

It follows RO-Crate 1.1 and the profile Provenance Run Crate 0.5 (https://w3id.org/ro/wfrun/provenance/0.5) with those
that it extends. The payload is what git tracks: code, parameters, lock files, results, evidence. Checkpoints and
corpora are named by their digests. Times that no process recorded are left out.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mono_s2s import files
from mono_s2s.evidence import citation, crate_actions, metadata
from mono_s2s.evidence.crate_graph import PROFILES, SPECIFICATION, Graph, path_id, reference
from mono_s2s.evidence.payload import DESCRIPTOR, Payload, gather
from mono_s2s.files import BadInput
from mono_s2s.params import load_params

# The first day that a zip file knows: the files' own times say nothing about the content.
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Crate:
    """A crate before it is written."""

    graph: Graph
    payload: Payload

    def metadata(self) -> bytes:
        """The bytes of ro-crate-metadata.json."""
        return files.to_json(self.graph.document()).encode()

    def zipped(self) -> bytes:
        """The bytes of the zip: the same for the same tree.

        Nothing is compressed: two versions of zlib may pack the same content into different bytes.
        """
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_entry(DESCRIPTOR), self.metadata())
            for path, file in self.payload.files.items():
                archive.writestr(_entry(path, file.executable), file.content)
        return out.getvalue()

    def count(self, kind: str) -> int:
        """How many entities are of a type."""
        return sum(entity["@type"] == kind for entity in self.graph.entities.values())


def _entry(path: str, executable: bool = False) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, EPOCH)
    # As on Unix, wherever this runs.
    entry.create_system = 3
    entry.external_attr = (0o100755 if executable else 0o100644) << 16
    return entry


def _last(runs: Sequence[metadata.Metadata]) -> str:
    return max(datetime.fromisoformat(run.timestamp_end) for run in runs).date().isoformat()


def _scales(runs: Sequence[metadata.Metadata]) -> str:
    return ", ".join(sorted({run.scale for run in runs}))


def _root(
    graph: Graph, cited: citation.Citation, runs: Sequence[metadata.Metadata], story: crate_actions.Story
) -> None:
    profiles = [graph.add(url, "CreativeWork", name=name, version=of) for url, (name, of) in PROFILES.items()]
    licence = f"https://spdx.org/licenses/{cited.license}"
    graph.add(licence, "CreativeWork", name=cited.license, url=licence, identifier=cited.license)
    state = (
        "The files are those of one git tree."
        if graph.payload.tree
        else "Made with --allow-dirty: the files differ from the last commit."
    )
    graph.add(
        "./",
        "Dataset",
        name=f"{cited.title}: code, runs and evidence",
        description=(
            f"{cited.abstract} This crate holds {len(runs)} runs (scale {_scales(runs)}), the evidence made from them "
            "and the code, parameters and lock files behind both; datePublished is the day on which the last run "
            f"ended. {state}"
        ),
        datePublished=_last(runs),
        license=reference(licence),
        author=story.agents,
        conformsTo=profiles,
        hasPart=[reference(path_id(path)) for path in graph.payload.files],
        mainEntity=reference(path_id(crate_actions.MAIN)),
        mentions=story.mentions,
        identifier=f"git-tree:{graph.payload.tree}" if graph.payload.tree else None,
        keywords=", ".join(cited.keywords),
        version=cited.version,
    )
    graph.add(
        DESCRIPTOR,
        "CreativeWork",
        about=reference("./"),
        conformsTo=[reference(SPECIFICATION), reference("https://w3id.org/workflowhub/workflow-ro-crate/1.0")],
    )
    if "README.md" in graph.payload.files:
        graph.describe("README.md", about=reference("./"))


def build(payload: Payload, root: Path = Path()) -> Crate:
    """The crate of a checkout.

    Raises:
        BadInput: a run of the paper or a file that a stage wrote is missing or edited, or CITATION.cff is malformed.
    """
    cited = citation.load(root)
    runs = crate_actions.gather(load_params(root), payload, root)
    graph = Graph(payload, runs.weights)
    story = crate_actions.Story(graph, runs, root, cited.version)
    story.write(graph.authors(cited))
    _root(graph, cited, runs.records, story)
    return Crate(graph, payload)


def write(out: Path, root: Path = Path(), allow_dirty: bool = False) -> Crate:
    """Write the crate of a checkout to the zip `out`.

    Raises:
        BadInput: as `build`, `out` is no zip, or the tree is dirty and may not be; nothing is written then.
    """
    if out.suffix != ".zip":
        raise BadInput(f"{out}: a crate is a zip: name a file that ends in .zip")
    made = build(gather(root, out, allow_dirty), root)
    files.write_bytes(out, made.zipped())
    return made
