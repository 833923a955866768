"""What DVC recorded, held against the files and parameters of this checkout; nothing below runs/ is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mono_s2s import files, paths
from mono_s2s.evidence import collection, filing, integrity, ledger, metadata
from mono_s2s.evidence.ledger import Checkout, Entry
from mono_s2s.evidence.verify.findings import Findings
from mono_s2s.params import Params

RUNS, PAPER, SELECTION = integrity.LOCK, "paper_evidence/dvc.lock", "dvc.lock"
PROVENANCE = Path("paper_evidence/provenance.json")
Locks = Mapping[str, Mapping[str, Entry]]


def read(root: Path, findings: Findings) -> dict[str, dict[str, Entry]]:
    """The lock files by path; the selection's may be missing, in a checkout in which nobody selected a run."""
    found: dict[str, dict[str, Entry]] = {}
    for name in (RUNS, PAPER, SELECTION):
        if name == SELECTION and not (root / name).exists():
            continue
        found[name] = {}
        with findings.guarded("schema", name):
            found[name] = ledger.read_lock(root / name)
    return found


def of_the_paper(locks: Locks, params: Params) -> Iterator[tuple[str, str, Entry]]:
    """Lock, stage and entry of all that the paper, or the selection, is made of.

    Runs of other seeds may lie beside them, of another day's code.
    """
    seeds = "|".join(map(str, params.seeds))
    own = re.compile(rf"(check|corpus|standard)@[^-]+|\w+@[^-]+-({seeds})(-\w+)?")
    for lock, entries in locks.items():
        for stage, entry in entries.items():
            if lock != RUNS or own.fullmatch(stage):
                yield lock, stage, entry


def outputs(locks: Locks, params: Params, checkout: Checkout) -> Iterator[str]:
    """Every tracked file that a stage of the paper wrote is there, as the stage left it."""
    for lock, stage, entry in of_the_paper(locks, params):
        for path, md5 in entry.outs.items():
            if path.startswith("runs/"):
                continue
            found = checkout.md5(path)
            if found is None:
                yield f"{path}: missing, stage {stage} wrote it: run `dvc repro`"
            elif found != md5:
                yield f"{path}: edited after stage {stage} wrote it (md5 {found}, {lock} says {md5}): run `dvc repro`"
    for study in params.studies:
        for seed in params.seeds:
            stage, folder = f"collect@{study}-{seed}", paths.results(study, seed)
            entry = locks[RUNS].get(stage)
            for name in sorted({*collection.COPIED, *filing.RESULTS_FILES.values(), "metadata.json"}):
                if entry is not None and f"{folder}/{name}" not in entry.outs:
                    yield f"{folder}/{name}: {RUNS} has no such output of stage {stage}: run `dvc repro`"


def inputs(locks: Locks, params: Params, checkout: Checkout) -> Iterator[str]:
    """What every stage read is what another wrote, or what stands in this checkout."""
    written = {
        path: (stage, md5) for _, stage, entry in of_the_paper(locks, params) for path, md5 in entry.outs.items()
    }
    for lock, stage, entry in of_the_paper(locks, params):
        for path, md5 in entry.deps.items():
            if path in written:
                if written[path][1] != md5:
                    yield (
                        f"{path}: stage {stage} read another version than stage {written[path][0]} wrote ({lock}): run "
                        "`dvc repro`"
                    )
            elif not path.startswith("runs/") and checkout.md5(path) != md5:
                yield f"{path}: not what stage {stage} read ({lock}): run `dvc repro`"


def parameters(locks: Locks, params: Params, contents: Mapping[str, Any]) -> Iterator[str]:
    """Every stage of the paper and of the selection had the parameters that stand here.

    Args:
        locks: as `read` gives them.
        params: params.yaml, typed.
        contents: the parameter files by path, as dvc.lock has parameters.
    """
    for lock, stage, entry in of_the_paper(locks, params):
        if lock == RUNS and stage.startswith("check@"):
            # It looks at all of params.yaml, whose selection may have changed since.
            continue
        for file, keys in entry.params.items():
            if file not in contents:
                yield f"{file}: stage {stage} ran with it, params.yaml says scale {params.scale}: run `dvc repro`"
                continue
            for key, value in keys.items():
                if integrity.lookup(contents[file], key) != value:
                    yield f"{file}: {key}: stage {stage} ran with another value ({lock}): run `dvc repro`"
    headline = locks.get(SELECTION, {}).get("headline")
    folder = paths.results(params.study, params.seed)
    if headline is not None and f"{folder}/final_results.json" not in headline.deps:
        yield f"metrics.json: is not of {folder}, which params.yaml selects: run `dvc repro`"


def records(locks: Locks, params: Params) -> Iterator[str]:
    """The stages of which nothing can be judged without an entry have one."""
    for study in params.studies:
        shared = [integrity.address(name, study, 0) for name in metadata.SHARED]
        own = [
            integrity.address(name, study, seed)
            for seed in params.seeds
            for name in (*metadata.RECORDS, "collect")
            if name not in metadata.SHARED
        ]
        for stage in (*shared, *own):
            if stage not in locks[RUNS]:
                yield f"{RUNS}: has no stage {stage}: run `dvc repro`"


def commands(locks: Locks, params: Params) -> Iterator[str]:
    """Every stage was started as its name says: its own script, for the study and the seed of its address."""
    for lock, stage, entry in of_the_paper(locks, params):
        name, _, rest = stage.partition("@")
        study, _, rest = rest.partition("-")
        seed, _, arm = rest.partition("-")
        wanted = {"-m": f"stages.{name}", "--study": study, "--seed": seed, "--arm": arm}
        if lock == SELECTION and name == "headline":
            wanted |= {"--study": params.study, "--seed": str(params.seed)}
        words = entry.command[1:]
        given = dict(zip(words[::2], words[1::2], strict=False))
        wanted = {option: word for option, word in wanted.items() if word}
        # What depends on nothing of the scale is not told it.
        if "--scale" in given:
            wanted["--scale"] = params.scale
        if given != wanted or len(words) != 2 * len(given):
            line = " ".join(word for pair in wanted.items() for word in pair)
            yield f"{lock}: {stage} was run as `{' '.join(words)}`, not `{line}`: run `dvc repro`"


def unwritten(locks: Locks, params: Params, derived: Iterable[str]) -> Iterator[str]:
    """Every derived file is the output of some stage."""
    written = {path for _, _, entry in of_the_paper(locks, params) for path in entry.outs}
    for path in sorted(set(derived) - written):
        yield f"{path}: no stage in dvc.lock wrote it: run `dvc repro`"


def named(locks: Locks, params: Params, checkout: Checkout, root: Path, findings: Findings) -> None:
    """Every file that provenance.json names is the one that dvc.lock has, and the one that lies here."""
    written = {
        path: (f"{Path(lock).parent}/dvc.yaml:{stage}", md5)
        for lock, stage, entry in of_the_paper(locks, params)
        for path, md5 in entry.outs.items()
    }
    with findings.guarded("schema", str(root / PROVENANCE)):
        content = files.read_json(root / PROVENANCE)
        seen: set[tuple[str, str, str]] = set()
        of_tables = (table["extracted_values"] for table in content["tables"].values())
        for values in (*of_tables, content.get("numbers", {})):
            seen |= {(value["file"], value["md5"], value["stage"]) for value in values.values()}
        for path, md5, stage in sorted(seen):
            if written.get(path) != (stage, md5):
                findings.add(
                    "hashes",
                    f"{PROVENANCE.as_posix()}: {path}: says md5 {md5} of {stage}, dvc.lock has "
                    f"{' of '.join(reversed(written.get(path, ('no stage', 'nothing'))))}: run `dvc repro`",
                )
            if checkout.md5(path) != md5:
                findings.add(
                    "hashes",
                    f"{path}: md5 {checkout.md5(path)}, {PROVENANCE.as_posix()} says {md5}: run `dvc repro`",
                )
        findings.count("files named by provenance.json", len(seen))


def check(locks: Locks, params: Params, checkout: Checkout, contents: Mapping[str, Any], findings: Findings) -> None:
    """All of the above but `named`."""
    kinds: Sequence[tuple[str, Iterator[str]]] = (
        ("hashes", outputs(locks, params, checkout)),
        ("hashes", inputs(locks, params, checkout)),
        ("hashes", parameters(locks, params, contents)),
        ("records", records(locks, params)),
        ("records", commands(locks, params)),
    )
    for kind, lines in kinds:
        findings.take(kind, lines, "dvc.lock")
