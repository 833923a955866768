"""What ran: one action a stage and seed, from the records of the processes and from dvc.lock.

A heavy stage's process recorded itself (metadata.json: stages), times included. Of the light stages only dvc.lock
tells, which has no times: their actions have none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mono_s2s import paths
from mono_s2s.evidence import ledger, metadata, schemas
from mono_s2s.evidence.crate_graph import Graph, Reference, path_id, reference
from mono_s2s.evidence.integrity import address
from mono_s2s.evidence.payload import Payload, ignored
from mono_s2s.files import BadInput
from mono_s2s.params import Params

MAIN = "dvc.yaml"
# The workflows that the main one is made of, in the order in which they run.
NESTED = ("stages/dvc.yaml", "paper_evidence/dvc.yaml")
DONE = "http://schema.org/CompletedActionStatus"


@dataclass(frozen=True)
class Executed:
    """One execution of a stage."""

    # Path of the dvc.yaml, and the name in the dvc.lock beside it.
    workflow: str
    address: str
    command: Sequence[str]
    # Digests by path.
    inputs: Mapping[str, str]
    code: Mapping[str, str]
    outputs: Mapping[str, str]
    # By file.
    params: Mapping[str, Mapping[str, Any]]
    # What the process said about itself; None where only dvc.lock tells.
    record: metadata.Record | None = None

    @property
    def stage(self) -> str:
        """Name of the stage in its dvc.yaml."""
        return self.address.partition("@")[0]

    @property
    def options(self) -> dict[str, str]:
        """What the command line says: study, scale, seed, arm."""
        words = list(self.command[3:])
        return {
            name.removeprefix("--"): value
            for name, value in zip(words[::2], words[1::2], strict=False)
            if name.startswith("--")
        }


@dataclass
class Runs:
    """Everything that ran, and the digests of the weights that it left."""

    executed: list[Executed] = field(default_factory=list)
    records: list[metadata.Metadata] = field(default_factory=list)
    # SHA-256 of a checkpoint's weights, by the folder's path and MD5.
    weights: dict[tuple[str, str], str] = field(default_factory=dict)


def _filed(params: Params, payload: Payload, root: Path) -> Iterator[metadata.Metadata]:
    """The metadata of every run of the paper, then of any other that is filed.

    Raises:
        BadInput: a run of the paper is missing.
    """
    for study in params.studies:
        wanted = [paths.results(study, seed).as_posix() for seed in params.seeds]
        folder = f"experiment_results/{study}"
        there = sorted({path.rpartition("/")[0] for path in payload.below(folder) if path.endswith("/metadata.json")})
        for place in (*wanted, *(other for other in there if other not in wanted)):
            if f"{place}/metadata.json" not in payload.files:
                raise BadInput(f"{place}: no run is filed here: a crate holds every run of the paper: run `dvc repro`")
            yield schemas.read(root / place / "metadata.json", metadata.Metadata)


def _recorded(run: metadata.Metadata, runs: Runs) -> Iterator[Executed]:
    """The executions of a run's heavy stages."""
    for name, record in run.stages.items():
        for checkpoint in run.checkpoints.values():
            md5 = record.outputs.get(checkpoint.path)
            if md5:
                runs.weights[checkpoint.path, md5] = checkpoint.sha256
        yield Executed(
            NESTED[0],
            address(name, run.study, run.seed),
            record.command,
            record.inputs,
            record.code,
            record.outputs,
            record.params,
            record,
        )


def gather(params: Params, payload: Payload, root: Path) -> Runs:
    """Every execution that was recorded.

    Raises:
        BadInput: a run of the paper, a lock file, or what a stage wrote is missing, or was edited after it.
    """
    runs = Runs()
    known: dict[str, Executed] = {}
    for run in _filed(params, payload, root):
        runs.records.append(run)
        for one in _recorded(run, runs):
            if known.setdefault(one.address, one) != one:
                where = paths.results(run.study, run.seed)
                raise BadInput(
                    f"{where}/metadata.json: stages: {one.address} is not what other runs say: run `dvc repro`"
                )
    for workflow in (MAIN, *NESTED):
        lock = workflow.replace(".yaml", ".lock")
        if workflow == MAIN and lock not in payload.files:
            continue
        for name, entry in ledger.read_lock(root / lock).items():
            one = Executed(workflow, name, entry.command, entry.data, entry.code, entry.outs, entry.params)
            if workflow != NESTED[0] or one.stage not in {"train", "evaluate", "uat", "hotflip", *metadata.SHARED}:
                known[name] = one
                _unedited(one, lock, payload, root)
    runs.executed = [known[name] for name in sorted(known)]
    return runs


def _unedited(one: Executed, lock: str, payload: Payload, root: Path) -> None:
    """Stop where a file is no longer what the stage wrote: the action would claim what it did not do."""
    for path, md5 in one.outputs.items():
        found = payload.md5(path)
        if found is None:
            # What git ignores (runs/) is never part of a crate: its digest is all there is.
            if ignored(root, path):
                continue
            raise BadInput(f"{path}: missing, {lock} says that {one.address} wrote it: run `dvc repro` and commit")
        if found != md5:
            raise BadInput(f"{path}: edited after {one.address} wrote it ({lock} says md5 {md5}): run `dvc repro`")


def _stages(workflow: str, root: Path) -> dict[str, str]:
    """Stages of a dvc.yaml in their order, and the script of each.

    Raises:
        BadInput: missing or not a dvc.yaml.
    """
    try:
        content = ledger.parse((root / workflow).read_text(encoding="utf-8"))
        commands = {name: stage["cmd"].split() for name, stage in content["stages"].items()}
        return {name: words[2].replace(".", "/") + ".py" for name, words in commands.items()}
    except FileNotFoundError as error:
        raise BadInput(f"{workflow}: missing: run from the top folder of the checkout") from error
    except (TypeError, KeyError, AttributeError, IndexError, ValueError) as error:
        raise BadInput(f"{workflow}: not a graph of this project: `python -m stages.<name>` for every stage") from error


def _about(script: str, payload: Payload) -> str | None:
    """First paragraph of a script's docstring."""
    if script not in payload.files:
        return None
    text = ast.get_docstring(ast.parse(payload.files[script].content))
    return " ".join(text.split("\n\n")[0].split()) if text else None


def _of(one: Executed) -> str:
    """An execution in words."""
    options = one.options
    parts = [options.get("study"), f"seed {options['seed']}" if "seed" in options else None, options.get("arm")]
    return ", ".join(part for part in parts if part) or "all runs of the paper"


def _told(one: Executed, payload: Payload) -> str:
    """What no property says: machine, code."""
    words = [f"`{' '.join(['python', *one.command[1:]])}`"]
    record = one.record
    if record is None:
        words.append("known from dvc.lock alone, which has no times")
    else:
        machine = record.hardware
        words.append(f"on {machine.node} ({machine.processor}, {machine.cores or 'unknown number of'} cores)")
        words += [machine.gpu] if machine.gpu else []
        words += [f"SLURM job {machine.slurm['SLURM_JOB_ID']}"] if "SLURM_JOB_ID" in machine.slurm else []
        dirty = " with local edits" if record.git.dirty else ""
        words.append(f"code of commit {record.git.commit}{dirty}" if record.git.commit else "code of no commit")
    changed = [path for path, md5 in one.code.items() if payload.md5(path) != md5]
    if changed:
        words.append(f"{len(changed)} source files differ from those of this crate and are listed by digest")
    return "; ".join(words)


class Story:
    """Workflows, steps, tools and actions, written into a graph."""

    def __init__(self, graph: Graph, runs: Runs, root: Path, version: str) -> None:
        self.graph, self.runs, self.root, self.version = graph, runs, root, version
        self.agents: list[Reference] = []
        # By script: the FormalParameters that it takes. By workflow: what its stages read and wrote.
        self.inputs: dict[str, dict[str, Reference]] = {}
        self.read: dict[str, dict[str, Reference]] = {}
        self.written: dict[str, dict[str, Reference]] = {}
        self.mentions: list[Reference] = []

    def write(self, agents: list[Reference]) -> None:
        """Add everything; the main workflow is `MAIN`."""
        self.agents = agents
        engines = self._engines()
        self.graph.add(
            "https://dvc.org/",
            "ComputerLanguage",
            name="DVC pipeline",
            alternateName="dvc.yaml",
            url="https://dvc.org/doc/user-guide/project-structure/dvcyaml-files",
        )
        for workflow in (*NESTED, MAIN):
            self._workflow(workflow, engines)

    def _engines(self) -> list[Reference]:
        records = [record for run in self.runs.records for record in run.stages.values()]
        versions = sorted({record.versions["dvc"] for record in records if "dvc" in record.versions})
        found = [self.graph.software({"dvc": version})[0] for version in versions]
        # Where no record says which, it was DVC all the same.
        return found or [self.graph.add("#engine", "SoftwareApplication", name="dvc", url="https://dvc.org/")]

    def _workflow(self, workflow: str, engines: list[Reference]) -> None:
        graph, scripts = self.graph, _stages(workflow, self.root)
        executed = [one for one in self.runs.executed if one.workflow == workflow]
        nested = NESTED if workflow == MAIN else ()
        steps = [self._step(workflow, place, name, name) for place, name in enumerate(nested, start=1)]
        tools, actions, controls = [reference(path_id(name)) for name in nested], [], []
        controls += [self._control(workflow, name, f"#run/{quote(name)}", name) for name in nested]
        objects = self.read[workflow] = {key: item for name in nested for key, item in self.read[name].items()}
        results = self.written[workflow] = {key: item for name in nested for key, item in self.written[name].items()}
        for place, (stage, script) in enumerate(scripts.items(), start=len(nested) + 1):
            steps.append(self._step(workflow, place, stage, script))
            own = [one for one in executed if one.stage == stage]
            if script in graph.payload.files:
                self._tool(script, own)
                tools += [reference(path_id(script))] if own else []
            for one in own:
                action = self._action(one, script)
                actions.append(action)
                controls.append(self._control(workflow, stage, action["@id"], one.address))
                found = graph.entities[action["@id"]]
                objects |= {item["@id"]: item for item in _list(found.get("object"))}
                results |= {item["@id"]: item for item in _list(found.get("result"))}
        formal = [item["@id"] for name in nested for item in _list(graph.entities[path_id(name)].get("input"))]
        formal += [name for script in scripts.values() for name in self.inputs.get(script, {})]
        graph.describe(
            path_id(workflow),
            **{"@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]},
            hasPart=tools,
            step=steps,
            input=[reference(name) for name in sorted(set(formal))],
            programmingLanguage=reference("https://dvc.org/"),
            version=self.version,
        )
        if not executed and not nested:
            raise BadInput(f"{workflow.replace('.yaml', '.lock')}: no stage ever ran: run `dvc repro`")
        run = graph.add(
            f"#run/{quote(workflow)}",
            "CreateAction",
            name=f"run of {workflow}",
            description="All stages of this file, as they were last run; some may have been replayed from DVC's "
            "run-cache, so that the whole has no time of its own",
            instrument=reference(path_id(workflow)),
            # What one stage made and another took is neither given to the whole nor left by it alone.
            object=[item for name, item in sorted(objects.items()) if name not in results],
            result=[item for _, item in sorted(results.items())],
            agent=self.agents,
            actionStatus=DONE,
        )
        engine = graph.add(
            f"#orchestration/{quote(workflow)}",
            "OrganizeAction",
            name=f"DVC running {workflow}",
            instrument=engines,
            object=controls,
            result=run,
            agent=self.agents,
            actionStatus=DONE,
        )
        self.mentions += [run, engine, *actions]

    def _step(self, workflow: str, place: int, name: str, script: str) -> Reference:
        return self.graph.add(
            f"#step/{quote(workflow)}/{quote(name)}",
            "HowToStep",
            name=name,
            description=_about(script, self.graph.payload) if script.endswith(".py") else None,
            position=str(place),
            workExample=reference(path_id(script)),
        )

    def _control(self, workflow: str, step: str, action: str, name: str) -> Reference:
        return self.graph.add(
            f"#control/{quote(workflow)}/{quote(name)}",
            "ControlAction",
            name=f"orchestration of {name}",
            instrument=reference(f"#step/{quote(workflow)}/{quote(step)}"),
            object=reference(action),
            actionStatus=DONE,
        )

    def _tool(self, script: str, executed: Sequence[Executed]) -> None:
        versions = [one.record.versions for one in executed if one.record]
        software = {item["@id"]: item for found in versions for item in self.graph.software(found)}
        self.graph.describe(
            path_id(script),
            **{"@type": ["File", "SoftwareSourceCode"]},
            description=_about(script, self.graph.payload),
            softwareRequirements=[item for _, item in sorted(software.items())],
            version=self.version,
        )

    def _action(self, one: Executed, script: str) -> Reference:
        graph, record = self.graph, one.record
        values = graph.values(one.options, "command line")
        for file, content in one.params.items():
            values |= graph.values(content, file)
        self.inputs.setdefault(script, {}).update(values)
        graph.describe(path_id(script), input=[reference(name) for name in sorted(self.inputs[script])])
        changed = {path: md5 for path, md5 in one.code.items() if graph.payload.md5(path) != md5}
        usage = record and graph.add(
            f"#usage/{quote(one.address)}",
            "PropertyValue",
            name="elapsed time",
            propertyID="https://qudt.org/vocab/quantitykind/Time",
            unitCode="https://qudt.org/vocab/unit/SEC",
            value=record.seconds,
        )
        return graph.add(
            f"#run/{quote(one.workflow)}/{quote(one.address)}",
            "CreateAction",
            name=f"{one.stage}: {_of(one)}",
            description=_told(one, graph.payload),
            instrument=reference(path_id(script)),
            object=[*graph.artifacts(one.inputs), *graph.artifacts(changed), *values.values()],
            result=graph.artifacts(one.outputs),
            agent=self.agents,
            startTime=record and record.started,
            endTime=record and record.ended,
            resourceUsage=usage or None,
            actionStatus=DONE,
        )


def _list(value: Any) -> list[Any]:
    """A property's values, however many."""
    return value if isinstance(value, list) else [] if value is None else [value]
