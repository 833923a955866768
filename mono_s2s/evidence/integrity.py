"""Three records against each other, before anything is added up.

What DVC recorded (stages/dvc.lock), what each process recorded about itself while it ran (metadata.json: stages), and
the files of this checkout must say the same for every run of the paper. Each check takes the gathered evidence and
yields one line a violation; none needs a checkpoint, so they hold on a bare clone too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mono_s2s import files, paths, scale
from mono_s2s.evidence import collection, examples, ledger, metadata, schemas, tasks
from mono_s2s.evidence.ledger import Checkout, Entry
from mono_s2s.files import BadInput
from mono_s2s.params import Params
from mono_s2s.scale import ARMS

LOCK = "stages/dvc.lock"
OUTPUTS = ("evaluation_examples.csv", "uat_examples.csv", "hotflip_examples.csv")


@dataclass(frozen=True)
class Filed:
    """One run as it lies under experiment_results/."""

    folder: str
    # The records as metadata.json has them, untyped, so that their bytes can be had again.
    records: Mapping[str, Mapping[str, Any]]
    metadata: metadata.Metadata
    run: collection.Run
    final: Mapping[str, Any]
    # Digest of each fine-tuned model's rows, by per-example file and model.
    outputs: Mapping[tuple[str, str], str]
    # Digest of the example ids in their order, by per-example file.
    examples: Mapping[str, str]


@dataclass(frozen=True)
class Evidence:
    """Everything that the checks compare."""

    study: str
    scale: str
    # params.yaml and scales/<scale>.yaml, by path, as dvc.lock records parameters.
    parameters: Mapping[str, Mapping[str, Any]]
    lock: Mapping[str, Entry]
    checkout: Checkout
    runs: Mapping[int, Filed]


def address(name: str, study: str, seed: int) -> str:
    """Name of a record's stage in stages/dvc.lock."""
    stage, _, arm = name.partition(".")
    if name in metadata.SHARED:
        return f"{stage}@{study}"
    return f"{stage}@{study}-{seed}" + (f"-{arm}" if arm else "")


def _digests(rows: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], str]:
    parts = {arm: hashlib.sha256() for arm in ARMS}
    order = hashlib.sha256()
    for row in rows:
        order.update(f"{row.get('dataset', '')}\t{row['example_id']}\n".encode())
        if row["model"] in parts:
            parts[row["model"]].update("\t".join(row.values()).encode() + b"\n")
    return {arm: part.hexdigest() for arm, part in parts.items()}, order.hexdigest()


def gather_run(study: str, seed: int, root: Path = Path()) -> Filed:
    """Read one run from experiment_results/.

    Raises:
        BadInput: a file is missing or against its schema, or files of different runs lie together.
    """
    folder = root / paths.results(study, seed)
    if not folder.is_dir():
        raise BadInput(f"{paths.results(study, seed)}: missing: run `dvc repro` to run seed {seed}")
    raw = files.read_json(folder / "metadata.json")
    typed = schemas.validate(raw, metadata.Metadata, folder / "metadata.json")
    rows = {name: examples.read(folder / name, tasks.of(study).columns[name]) for name in OUTPUTS}
    schemas.read(folder / "final_results.json", schemas.Final)
    run = collection.read(study, seed, {name: folder / name for name in collection.COPIED})
    return as_filed(run, raw, typed, files.read_json(folder / "final_results.json"), rows)


def as_filed(
    run: collection.Run,
    raw: Mapping[str, Any],
    typed: metadata.Metadata,
    final: Mapping[str, Any],
    rows: Mapping[str, Sequence[examples.Row]],
) -> Filed:
    """One run from what was read of it.

    Args:
        run: its typed results.
        raw: content of metadata.json, as it stands there.
        typed: the same, typed.
        final: content of final_results.json.
        rows: of every per-example file in OUTPUTS.
    """
    outputs, orders = {}, {}
    for name in OUTPUTS:
        parts, orders[name] = _digests(rows[name])
        outputs.update({(name, arm): digest for arm, digest in parts.items()})
    return Filed(
        folder=paths.results(run.study, run.seed).as_posix(),
        records=raw["stages"],
        metadata=typed,
        run=run,
        final=final,
        outputs=outputs,
        examples=orders,
    )


def gather(study: str, params: Params, root: Path = Path()) -> Evidence:
    """Read everything that the checks compare.

    Raises:
        BadInput: a file is missing, was edited after `collect` wrote it, or is against its schema.
    """
    lock = ledger.read_lock(root / LOCK)
    checkout = Checkout(root)
    edited = [line for seed in params.seeds for line in filed(study, seed, lock, checkout)]
    _refuse(edited)
    where = scale.scale_path(params.scale).as_posix()
    return Evidence(
        study=study,
        scale=params.scale,
        parameters={name: ledger.parse((root / name).read_text()) for name in ("params.yaml", where)},
        lock=lock,
        checkout=checkout,
        runs={seed: gather_run(study, seed, root) for seed in params.seeds},
    )


def _refuse(violations: Sequence[str]) -> None:
    if violations:
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        raise BadInput(violations[0] + more)


def verify(study: str, params: Params, root: Path = Path()) -> None:
    """Refuse a study's evidence where its three records differ.

    Raises:
        BadInput: on one line the first violation, with file, seed or stage, reason and mend; and how many more.
    """
    evidence = gather(study, params, root)
    _refuse([line for check in CHECKS for line in check(evidence)])


def filed(study: str, seed: int, lock: Mapping[str, Entry], checkout: Checkout) -> Iterator[str]:
    """The tracked files of a run are what stage collect wrote."""
    name = f"collect@{study}-{seed}"
    if name not in lock:
        yield f"seed {seed}: {LOCK} has no stage {name}: run `dvc repro`"
        return
    for path, md5 in lock[name].outs.items():
        found = checkout.md5(path)
        if found is None:
            yield f"{path}: missing, stage collect wrote it: run `dvc repro`"
        elif found != md5:
            yield f"{path}: edited after stage collect wrote it (md5 {found}, dvc.lock says {md5}): run `dvc repro`"


def _records(evidence: Evidence) -> Iterator[tuple[int, str, str, Mapping[str, Any]]]:
    """Seed, name, lock address and raw record of every stage; shared stages once, with the first seed."""
    for place, (seed, run) in enumerate(evidence.runs.items()):
        for name in metadata.RECORDS:
            if name in metadata.SHARED and place:
                continue
            yield seed, name, address(name, evidence.study, seed), run.records.get(name, {})


def _again(stage: str) -> str:
    return f"run `dvc repro -f -s stages/dvc.yaml:{stage}`, then `dvc repro`"


def recorded(evidence: Evidence) -> Iterator[str]:
    """Every stage has an entry in the lock, and metadata.json holds the very record that its process wrote."""
    first = next(iter(evidence.runs.values()))
    for seed, run in evidence.runs.items():
        where = f"{run.folder}/metadata.json"
        for name in metadata.RECORDS:
            stage = address(name, evidence.study, seed)
            if stage not in evidence.lock:
                yield f"seed {seed}: {LOCK} has no stage {stage}: run `dvc repro`"
                continue
            if name not in run.records:
                yield f"{where}: stages: no record of {name}: run `dvc repro`"
                continue
            path = (collection.folder(name, evidence.study, seed) / "record.json").as_posix()
            md5 = hashlib.md5(files.to_json(run.records[name]).encode(), usedforsecurity=False).hexdigest()
            wanted = evidence.lock[stage].outs.get(path)
            if name in metadata.SHARED and run.records[name] != first.records.get(name):
                yield (
                    f"{where}: stages.{name}: seed {seed} was built on another run of stage {name} than "
                    f"{first.folder}: run `dvc repro`"
                )
            elif md5 != wanted:
                yield f"{where}: stages.{name}: not the record that {stage} wrote (dvc.lock: {wanted}): run `dvc repro`"


def commands(evidence: Evidence) -> Iterator[str]:
    """Each process was started with the command that the lock has, whatever its python is called."""
    for seed, name, stage, record in _records(evidence):
        if stage in evidence.lock and tuple(record["command"][1:]) != evidence.lock[stage].command[1:]:
            yield (
                f"seed {seed}, stage {name}: its process was started as `{' '.join(record['command'][1:])}`, dvc.lock "
                f"says `{' '.join(evidence.lock[stage].command[1:])}`: {_again(stage)}"
            )


def code(evidence: Evidence) -> Iterator[str]:
    """What each process loaded was declared, is what DVC recorded, and is what this checkout holds."""
    for seed, name, stage, record in _records(evidence):
        entry = evidence.lock.get(stage)
        if entry is None:
            continue
        for path, md5 in record["code"].items():
            if path not in entry.code:
                yield (
                    f"{path}: loaded by stage {name} of seed {seed}, but stages/dvc.yaml does not declare it: "
                    "run `make deps`, then `dvc repro`"
                )
            elif evidence.checkout.md5(path) != md5:
                believed = ", though dvc.lock claims that it ran with the edit" if entry.code[path] != md5 else ""
                mend = _again(stage) if believed else "run `dvc repro`"
                yield f"{path}: not what stage {name} of seed {seed} ran{believed}: {mend}"
            elif entry.code[path] != md5:
                yield f"{path}: stage {name} of seed {seed} ran another version than dvc.lock says: {_again(stage)}"
        for path in sorted(set(entry.code) - set(record["code"])):
            if evidence.checkout.md5(path) != entry.code[path]:
                yield f"{path}: edited since stage {name} of seed {seed} ran: run `dvc repro`"
    for seed in evidence.runs:
        for path, md5 in evidence.lock[f"collect@{evidence.study}-{seed}"].code.items():
            if evidence.checkout.md5(path) != md5:
                yield f"{path}: edited since stage collect of seed {seed} ran: run `dvc repro`"


def lookup(content: Mapping[str, Any], key: str) -> Any:
    """The value of a parameter as DVC addresses it, with dots; None where there is none."""
    if key in content:
        return content[key]
    node: Any = content
    for step in key.split("."):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def parameters(evidence: Evidence) -> Iterator[str]:
    """Each process ran with the parameters that the lock has, and both are this checkout's."""
    own = scale.scale_path(evidence.scale).as_posix()

    def against_checkout(found: Mapping[str, Mapping[str, Any]], who: str) -> Iterator[str]:
        for file, keys in found.items():
            if file not in evidence.parameters:
                yield f"{file}: {who} ran at this scale, params.yaml says {evidence.scale} ({own}): run `dvc repro`"
                continue
            for key, value in keys.items():
                if lookup(evidence.parameters[file], key) != value:
                    yield f"{file}: {key}: {who} ran with another value than stands there now: run `dvc repro`"

    for seed, name, stage, record in _records(evidence):
        entry = evidence.lock.get(stage)
        if entry is None:
            continue
        yield from against_checkout(record["params"], f"stage {name} of seed {seed}")
        yield from against_checkout(entry.params, f"dvc.lock: stage {name} of seed {seed}")
        if {file: set(keys) for file, keys in record["params"].items()} != {
            file: set(keys) for file, keys in entry.params.items()
        }:
            yield (
                f"seed {seed}, stage {name}: recorded parameters {_keys(record['params'])}, dvc.lock has "
                f"{_keys(entry.params)}: let stages/dvc.yaml and the stage name the same ones"
            )
    for seed in evidence.runs:
        stage = f"collect@{evidence.study}-{seed}"
        yield from against_checkout(evidence.lock[stage].params, f"stage collect of seed {seed}")


def _keys(found: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(key for keys in found.values() for key in keys) or "none"


def inputs(evidence: Evidence) -> Iterator[str]:
    """What each stage read is what the lock has for it, and what its producer wrote or this checkout holds."""
    written = {path: (stage, md5) for stage, entry in evidence.lock.items() for path, md5 in entry.outs.items()}

    def sound(path: str, md5: str, who: str) -> Iterator[str]:
        if path in written:
            if written[path][1] != md5:
                yield f"{path}: {who} read another version than {written[path][0]} wrote: run `dvc repro`"
        elif path.startswith("runs/"):
            yield f"{path}: {who} read it, but no stage in {LOCK} wrote it: run `dvc repro`"
        elif evidence.checkout.md5(path) not in (md5, None):
            yield f"{path}: edited since {who} ran: run `dvc repro`"

    for seed, name, stage, record in _records(evidence):
        entry = evidence.lock.get(stage)
        if entry is None:
            continue
        who = f"stage {name} of seed {seed}"
        for path in sorted({*record["inputs"], *entry.data}):
            if path not in entry.data:
                yield f"{path}: {who} read it, but stages/dvc.yaml does not declare it: declare it, then `dvc repro`"
            elif path in record["inputs"] and record["inputs"][path] != entry.data[path]:
                yield f"{path}: {who} read another version than dvc.lock says: {_again(stage)}"
            else:
                yield from sound(path, entry.data[path], who)
    for seed in evidence.runs:
        for path, md5 in evidence.lock[f"collect@{evidence.study}-{seed}"].data.items():
            yield from sound(path, md5, f"stage collect of seed {seed}")


def outputs(evidence: Evidence) -> Iterator[str]:
    """What each process wrote is what the lock has, and what was filed; final_results.json follows from it."""
    for seed, name, stage, record in _records(evidence):
        entry = evidence.lock.get(stage)
        if entry is None:
            continue
        left = {path: md5 for path, md5 in entry.outs.items() if not path.endswith("/record.json")}
        for path in sorted({*left, *record["outputs"]}):
            if left.get(path) != record["outputs"].get(path):
                yield (
                    f"{path}: stage {name} of seed {seed} recorded md5 {record['outputs'].get(path)}, dvc.lock has "
                    f"{left.get(path)}: {_again(stage)}"
                )
    for seed, run in evidence.runs.items():
        for name, path in collection.sources(evidence.study, seed).items():
            stage = collection.COPIED[name]
            wanted = run.records.get(stage, {}).get("outputs", {}).get(path.as_posix())
            if evidence.checkout.md5(f"{run.folder}/{name}") != wanted:
                yield f"{run.folder}/{name}: not what stage {stage} of seed {seed} wrote: run `dvc repro`"
        if run.final != collection.final(run.run):
            yield f"{run.folder}/final_results.json: does not follow from the results beside it: run `dvc repro`"


def identities(evidence: Evidence) -> Iterator[str]:
    """Each folder holds its own run, all runs share study, scale, data and standard model, and no two are one."""
    first = next(iter(evidence.runs.values()))
    for seed, run in evidence.runs.items():
        where = f"{run.folder}/metadata.json"
        for key, value in (("seed", seed), ("study", evidence.study), ("scale", evidence.scale)):
            if getattr(run.metadata, key) != value:
                yield f"{where}: {key} is {getattr(run.metadata, key)}, not {value}: run `dvc repro`"
        if run.run.data.scale != evidence.scale:
            yield f"{run.folder}: results are of scale {run.run.data.scale}, not {evidence.scale}: run `dvc repro`"
        if run.metadata.data_digest != run.run.data.data_digest:
            yield f"{where}: data_digest is not that of data_statistics.json: run `dvc repro`"
        for model, digest in run.run.checkpoints.items():
            filed_as = run.metadata.checkpoints.get(model)
            if filed_as is None or filed_as.sha256 != digest:
                yield f"{where}: checkpoints.{model} is not that of the results beside it: run `dvc repro`"
        for name, record in run.records.items():
            wanted = evidence.study if name in metadata.SHARED else seed
            if record["identity"].get("study" if name in metadata.SHARED else "seed") != wanted:
                yield f"{where}: stages.{name} is the record of another run: run `dvc repro`"
        if run.run.data.data_digest != first.run.data.data_digest:
            yield f"{run.folder}: trained on other data than {first.folder} (data_digest): run `dvc repro`"
        if run.run.checkpoints["standard"] != first.run.checkpoints["standard"]:
            yield f"{run.folder}: its standard model is not that of {first.folder}: run `dvc repro`"
        for name, order in run.examples.items():
            if order != first.examples[name]:
                yield f"{run.folder}/{name}: other examples, or in another order, than {first.folder}: run `dvc repro`"
    yield from copies(evidence.runs)


def copies(runs: Mapping[int, Filed]) -> Iterator[str]:
    """No two runs have a fine-tuned model or its per-example outputs in common."""
    weights: dict[str, str] = {}
    rows: dict[tuple[str, str], str] = {}
    for run in runs.values():
        for arm in ARMS:
            where = f"{run.folder}/{arm}_training.json"
            other = weights.setdefault(run.run.training[arm].checkpoint, where)
            if other != where:
                yield f"{where} and {other} have the same checkpoint: they are one run, remove the copy and `dvc repro`"
        for (name, arm), digest in run.outputs.items():
            where = f"{run.folder}/{name}"
            other = rows.setdefault((f"{name} {arm}", digest), where)
            if other != where:
                yield f"{where} and {other} have the same outputs of {arm}: they are one run, run `dvc repro`"


CHECKS = (recorded, commands, code, parameters, inputs, outputs, identities)
