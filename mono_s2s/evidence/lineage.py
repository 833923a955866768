"""What a printed number was computed from: runs, stages, and everything upstream of them, as DVC recorded it.

DVC's own edges are too coarse for a single number: stage `collect` files all results of a run, and `aggregate` adds up
all of them. So the last steps are followed by what the JSON pointer says, and only what lies before by dvc.lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mono_s2s.evidence import collection, ledger, metadata
from mono_s2s.evidence.ledger import Entry
from mono_s2s.scale import ARMS, STUDIES

LOCKS = ("dvc.lock", "stages/dvc.lock", "paper_evidence/dvc.lock")
# Approves of parameters and writes the same words whatever they are: nothing that follows depends on them.
APPROVAL = "check"
_SOURCE = re.compile(rf"experiment_results/({'|'.join(STUDIES)})/(?:seed_(\d+)|aggregated)/([^/]+)")
_ADDRESS = re.compile(rf"(?:.*:)?(\w+)(?:@({'|'.join(STUDIES)})(?:-(\d+))?(?:-(\w+))?)?")


@dataclass(frozen=True)
class Stage:
    """A stage of the graph: its address as DVC prints it, and the parts of that."""

    address: str
    name: str
    study: str | None
    seed: int | None
    arm: str | None

    @property
    def record(self) -> str:
        """Its name among a run's records: train.baseline, hotflip."""
        return f"{self.name}.{self.arm}" if self.arm else self.name


def stage(address: str) -> Stage:
    """A stage by its address."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return Stage(address, address, None, None, None)
    name, study, seed, arm = found.groups()
    return Stage(address, name, study, int(seed) if seed else None, arm)


def address(record: str, study: str, seed: int) -> str:
    """Address of the stage that wrote a run's record called `record`."""
    name, _, arm = record.partition(".")
    if record in metadata.SHARED:
        return f"stages/dvc.yaml:{name}@{study}"
    return f"stages/dvc.yaml:{name}@{study}-{seed}" + (f"-{arm}" if arm else "")


class Graph:
    """The stages that have run, by address, as the three dvc.lock files have them."""

    def __init__(self, root: Path = Path()) -> None:
        self.entries: dict[str, Entry] = {}
        # By address, the dvc.lock that the stage belongs to.
        self.locks: dict[str, str] = {}
        for lock in LOCKS:
            if not (root / lock).is_file():
                continue
            folder = Path(lock).parent.as_posix()
            for name, entry in ledger.read_lock(root / lock).items():
                found = name if folder == "." else f"{folder}/dvc.yaml:{name}"
                self.entries[found], self.locks[found] = entry, lock
        self.writers = {path: name for name, entry in self.entries.items() for path in entry.outs}
        self._above: dict[str, frozenset[str]] = {}

    def writer(self, path: str) -> tuple[str, str] | None:
        """Address of the stage that wrote a file, and the file's MD5 then; None if no stage did."""
        name = self.writers.get(path)
        return (name, self.entries[name].outs[path]) if name else None

    def above(self, name: str) -> frozenset[str]:
        """A stage and all that it was built on."""
        if name not in self._above:
            found = {name}
            for path in self.entries[name].deps if name in self.entries else ():
                before = self.writers.get(path)
                if before and stage(before).name != APPROVAL:
                    found |= self.above(before)
            self._above[name] = frozenset(found)
        return self._above[name]


@dataclass(frozen=True)
class Origin:
    """What a number was computed from, before DVC's edges: whose results, of which runs."""

    study: str | None
    seeds: tuple[int, ...]
    # Names of the records whose results it draws on.
    records: frozenset[str]
    # Whether seeds were added up; else it stands in a file of one run.
    aggregated: bool

    def direct(self) -> frozenset[str]:
        """Addresses of the stages whose results it draws on."""
        if self.study is None:
            return frozenset()
        return frozenset(address(record, self.study, seed) for record in self.records for seed in self.seeds)


def _of_metric(metric: str, part: str) -> set[str]:
    """Records behind a metric; `part` is the pointer's rest, which may name one arm."""
    name = metric.partition(".")[0]
    if name != "train":
        return {name} if name in metadata.RECORDS else set(metadata.RECORDS)
    arms = [arm for arm in ARMS if part.startswith((f"/models/{arm}", f"/{arm}"))]
    return {f"train.{arm}" for arm in arms or ARMS}


_CORRECTED = ("", "/p_holm", "/rejected", "/decision", "/reasons")
# Of the test of the clean cost, what params.yaml says and what follows from the metric's name.
_DECLARED = ("better", "estimand", "margin", "metric", "unit", "words")
# Top keys of the aggregated files that are of one kind; what params.yaml says is of no run.
_WHOLE: dict[str, set[str]] = {
    "datasets": {"evaluate"},
    "reference_points": {"evaluate"},
    "budget": {"train.baseline", "train.monotonic"},
    "model": {"train.baseline"},
    "constraint": {"train.monotonic"},
    "data_digest": {"corpus"},
    "source": {"corpus"},
    **{key: set() for key in ("alpha", "confidence", "contrast", "families", "scale", "seeds", "study", "test")},
}


def _aggregated(pointer: str, families: Iterable[Iterable[str]], clean_cost: str | None) -> set[str]:
    """Records behind a place in an aggregated file.

    Args:
        pointer: the place.
        families: those of the tests, which one p value draws on.
        clean_cost: the metric that is held against a margin.
    """
    top, _, rest = pointer.removeprefix("/").partition("/")
    key, _, part = rest.partition("/")
    part = f"/{part}" if part else ""
    if top == "metrics":
        return _of_metric(key, part)
    if top == "tests":
        # Holm's correction looks at every metric of the family.
        family = next((list(names) for names in families if key in names), [key]) if part in _CORRECTED else [key]
        return set().union(*(_of_metric(metric, "") for metric in family))
    if top == "equivalence" and clean_cost is not None:
        return set() if key in _DECLARED else _of_metric(clean_cost, "")
    if top in _WHOLE:
        return _WHOLE[top]
    if top == "attacks" and key in metadata.RECORDS:
        return {key}
    return set(metadata.RECORDS)


@dataclass(frozen=True)
class Origins:
    """Finds origins: what the aggregated files and the paper say beside the pointer."""

    # The paper's seeds, and those of the aggregated files where they differ.
    seeds: tuple[int, ...]
    # Of the tests, by study.
    families: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # The metric of the clean cost, by study.
    clean_costs: Mapping[str, str] = field(default_factory=dict)

    def of(self, source: str, pointer: str) -> Origin:
        """The origin of what stands at a JSON pointer of a file."""
        found = _SOURCE.fullmatch(source)
        if found is None:
            return Origin(None, (), frozenset(), aggregated=False)
        study, seed, name = found.groups()
        if seed is None:
            families = self.families.get(study, {}).values()
            records = _aggregated(pointer, families, self.clean_costs.get(study))
            return Origin(study, self.seeds, frozenset(records), aggregated=True)
        if name in collection.COPIED:
            records = {collection.COPIED[name]}
        elif name == "final_results.json":
            top, _, rest = pointer.removeprefix("/").partition("/")
            key, _, part = rest.partition("/")
            records = _of_metric(key, f"/{part}") if top == "metrics" else set(metadata.RECORDS)
        else:
            records = set(metadata.RECORDS)
        return Origin(study, (int(seed),), frozenset(records), aggregated=False)
