"""Why stages would run again, from `dvc status`: which file, parameter or data changed, told once for all its stages.

What DVC 3.67 prints, as measured, is one object: the address of a stage (`stages/dvc.yaml:hotflip@<study>-42`; no file
before those of the root dvc.yaml) to a list of "always changed", "changed command" and {"changed deps" or "changed
outs": {path: status}}, in which a parameter file is {file: {key: status}}. Only the stages that the change touches
itself are there, none downstream. A status is "modified", "deleted", "new", or "not in cache" of an out. A stage that
dvc.lock does not know has all its deps "modified". A clone without DVC's cache has each heavy out "not in cache" and
"deleted" wherever it is read, which says nothing about any number: as under `dvc repro --allow-missing`, what is
missing is then judged by the digests in dvc.lock.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mono_s2s.evidence import history, ledger, lineage
from mono_s2s.evidence.ledger import Checkout
from mono_s2s.evidence.lineage import Graph, Stage
from mono_s2s.files import BadInput

_WORDS = {"modified": "changed", "deleted": "is missing", "new": "is new"}
# Folders of what the pipeline writes and DVC's cache holds: not there in a bare clone.
_HEAVY = "runs/"


@dataclass(frozen=True)
class Cause:
    """One thing that changed: of which kind, what, and how."""

    kind: str
    what: str
    change: str


@dataclass(frozen=True)
class Flag:
    """One reason why one stage would run again."""

    stage: Stage
    cause: Cause
    # What DVC names: the file, or the file of a parameter.
    path: str
    # Whether `path` is what the stage wrote, not what it read.
    written: bool = False
    # Of a parameter: its key.
    key: str | None = None


class Status:
    """`dvc status --json`, under way while other things are read."""

    def __init__(self, root: Path = Path()) -> None:
        if not (root / "dvc.yaml").is_file():
            raise BadInput("dvc.yaml: not here: run from the top folder of the checkout")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dvc", "status", "--json"],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stop(self) -> None:
        """End it, where its answer is of no use any more."""
        self._process.kill()
        self._process.communicate()

    def read(self) -> Mapping[str, Any]:
        """What DVC printed, once it has.

        Raises:
            BadInput: DVC could not tell; with its words.
        """
        output, errors = self._process.communicate()
        if self._process.returncode:
            words = " ".join(errors.split()).removeprefix("ERROR: ")
            raise BadInput(f"dvc status: {words[:300] or 'it ended without a word'}: mend that, then ask again")
        try:
            return json.loads(output.strip().splitlines()[-1])
        except (ValueError, IndexError) as error:
            raise BadInput(f"dvc status: printed no JSON ({output[:80]!r}): this was made for DVC 3.67") from error


def kind_of(path: str) -> str:
    """What a file is to the paper."""
    if path.endswith(".py"):
        return "code"
    if path == "requirements.lock":
        return "environment"
    kinds = {
        "data/": "data",
        _HEAVY: "intermediate",
        "experiment_results/": "result",
        "paper_evidence/specs": "spec",
        "paper_evidence/templates": "spec",
        "paper_evidence/": "evidence",
    }
    return next((kind for start, kind in kinds.items() if path.startswith(start)), "file")


def _leaves(key: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every key below `key` whose value differs; None where one side lacks it."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            yield from _leaves(f"{key}.{name}", old.get(name), new.get(name))
    elif old != new:
        yield key, old, new


def _anew(path: str, by: str) -> Cause:
    """A stage ran again and what reads its files did not: one cause for all of its files."""
    return Cause(kind_of(path), Path(path).parent.as_posix(), f"was written anew by stage {by}")


def _shown(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."


class Reader:
    """Turns what DVC says of stages into flags."""

    def __init__(self, graph: Graph, checkout: Checkout, root: Path = Path()) -> None:
        self.graph, self.checkout, self.root = graph, checkout, root
        self._parameters: dict[str, Any] = {}

    def _now(self, file: str, key: str) -> Any:
        if file not in self._parameters:
            self._parameters[file] = ledger.parse((self.root / file).read_text(encoding="utf-8"))
        node = self._parameters[file]
        for step in key.split("."):
            node = node.get(step) if isinstance(node, Mapping) else None
        return node

    def flags(self, status: Mapping[str, Any]) -> list[Flag]:
        """Every reason in DVC's answer that is one, and those that DVC cannot see in a bare clone."""
        found = [flag for name, reasons in status.items() for flag in self._of_stage(lineage.stage(name), reasons)]
        return found + list(self._outdated())

    def _of_stage(self, stage: Stage, reasons: list[Any]) -> Iterator[Flag]:
        entry = self.graph.entries.get(stage.address)
        parts = [reason for reason in reasons if isinstance(reason, Mapping)]
        if entry is None:
            if parts or "changed command" in reasons:
                lock = stage.address.rpartition(":")[0].replace(".yaml", ".lock") or "dvc.lock"
                what = f"stage {stage.name}" if stage.seed is None else f"seed {stage.seed}"
                yield Flag(stage, Cause("not run", what, f"has not run as far as {lock} knows"), lock)
            return
        deps = {path: what for part in parts for path, what in part.get("changed deps", {}).items()}
        outs = {path: what for part in parts for path, what in part.get("changed outs", {}).items()}
        switched = self._switched(entry, deps)
        if switched:
            yield Flag(stage, switched, "params.yaml", key="scale")
            deps = {path: what for path, what in deps.items() if not path.startswith(("scales/", "data/"))}
        elif "changed command" in reasons:
            graph = stage.address.rpartition(":")[0] or "dvc.yaml"
            yield Flag(stage, Cause("command", f"{graph}: {stage.name}: cmd", "changed"), graph)
        for path, what in deps.items():
            if isinstance(what, Mapping):
                yield from self._parameter(stage, path, list(what))
            elif path in entry.params:
                yield Flag(stage, Cause("parameter", path, _WORDS.get(what, what)), path, key="")
            else:
                yield from self._dependency(stage, path, what)
        for path, what in outs.items():
            if what == "not in cache" or (what == "deleted" and path.startswith(_HEAVY)):
                continue
            words = "is missing" if what == "deleted" else f"was changed after stage {stage.name} wrote it"
            folder = Path(path).parent
            gone = what == "deleted" and not (self.root / folder).exists()
            yield Flag(stage, Cause(kind_of(path), folder.as_posix() if gone else path, words), path, written=True)

    def _switched(self, entry: ledger.Entry, deps: Mapping[str, Any]) -> Cause | None:
        """The change of `scale`, where that is what gives a stage another parameter file."""
        new = [path for path, what in deps.items() if path.startswith("scales/") and what == "new"]
        old = [path for path in entry.params if path.startswith("scales/")]
        if not new or not old or new[0] in old:
            return None
        names = [json.dumps(Path(path).stem) for path in (old[0], new[0])]
        return Cause("parameter", "params.yaml: scale", f"{names[0]} -> {names[1]}")

    def _parameter(self, stage: Stage, file: str, keys: list[str]) -> Iterator[Flag]:
        recorded = self.graph.entries[stage.address].params.get(file, {})
        for key in keys:
            for leaf, old, new in _leaves(key, recorded.get(key), self._now(file, key)):
                change = f"{_shown(old)} -> {_shown(new)}"
                yield Flag(stage, Cause("parameter", f"{file}: {leaf}", change), file, key=leaf)

    def _dependency(self, stage: Stage, path: str, what: str) -> Iterator[Flag]:
        if what == "deleted" and path.startswith(_HEAVY):
            return
        if stage.name == "aggregate" and path.startswith("experiment_results/"):
            yield from self._folder(stage, path, what)
            return
        written = self.graph.writer(path)
        if what == "deleted" and path.startswith("experiment_results/") and not written:
            # Of a seed that has not run, which is flagged for itself.
            return
        words = _WORDS.get(what, what)
        if what == "modified" and not written and (self.root / path).is_dir():
            for file in history.changed(path, self.graph.entries[stage.address].deps[path], self.root):
                words = "changed" if (self.root / file).exists() else "is missing"
                yield Flag(stage, Cause(kind_of(path), file, words), file)
            return
        if written and what == "modified":
            by = lineage.stage(written[0]).name
            if self.checkout.md5(path) == written[1]:
                yield Flag(stage, _anew(path, by), path)
                return
            words = f"was changed after stage {by} wrote it"
        yield Flag(stage, Cause(kind_of(path), path, words), path)

    def _folder(self, stage: Stage, folder: str, what: str) -> Iterator[Flag]:
        """Why a run's folder is not what was added up; what was edited in it, `collect` is flagged for itself."""
        seed = int(folder.rpartition("_")[2])
        entry = self.graph.entries.get(f"stages/dvc.yaml:collect@{stage.study}-{seed}")
        if entry is None:
            return
        if what == "deleted":
            yield Flag(stage, Cause("result", folder, "is missing"), folder)
            return
        filed = [path for path in entry.outs if path.startswith(f"{folder}/")]
        if any(self.checkout.md5(path) != entry.outs[path] for path in filed):
            return
        there = {path.relative_to(self.root).as_posix() for path in (self.root / folder).rglob("*") if path.is_file()}
        for path in sorted(there - set(filed)):
            yield Flag(stage, Cause("result", path, "lies among results, and no stage wrote it"), path)
        if there <= set(filed):
            yield Flag(stage, Cause("result", folder, "was filed anew and not added up since"), folder)

    def _outdated(self) -> Iterator[Flag]:
        """Missing inputs that a stage read in another version than their stage wrote last."""
        for address, entry in self.graph.entries.items():
            for path, md5 in entry.deps.items():
                written = self.graph.writer(path)
                if written and written[1] != md5 and not (self.root / path).exists():
                    by = lineage.stage(written[0]).name
                    yield Flag(lineage.stage(address), _anew(path, by), path)
