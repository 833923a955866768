"""The runs of variants of the constraint, gathered from experiments and held against what was declared.

A variant is a mode and a scope of `train.constraint`; everything else of the study's section is the same for all.
Experiments in which something else was varied are left out and named; whatever is wrong with the others is an error.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mono_s2s import paths, scale
from mono_s2s.evidence import experiments, metadata, schemas
from mono_s2s.evidence.experiments import Experiment
from mono_s2s.files import BadInput
from mono_s2s.params import Sweep

RESULTS = ("final_results.json", "monotonic_training.json", "metadata.json")
# Runs of the winner on other seeds: shown by `dvc exp show`, and no part of the choice that they are to confirm.
CONFIRMING = "confirm"
# exp(700) is still a float: a variant that diverged gets a huge perplexity instead of none.
_HUGE = 700.0


class Variant(NamedTuple):
    """What is varied."""

    mode: str
    scope: str

    def __str__(self) -> str:
        return f"{self.mode} {self.scope}"


@dataclass(frozen=True)
class Run:
    """One run of one variant, as a commit holds it."""

    experiment: Experiment
    variant: Variant
    seed: int
    final: schemas.Final
    training: schemas.Training
    metadata: metadata.Metadata

    @property
    def ratio(self) -> float:
        """Monotonic over baseline perplexity on the test examples."""
        loss = self.final.metrics["evaluate.nll_per_token"]
        return math.exp(min(loss["monotonic"] - loss["baseline"], _HUGE))

    def perplexity(self, arm: str) -> float:
        """Perplexity of an arm on the test examples."""
        return math.exp(min(self.final.metrics["evaluate.nll_per_token"][arm], _HUGE))


@dataclass(frozen=True)
class Asked:
    """What is compared: the study's section as it stands here, and the rule that was declared."""

    study: str
    scale: str
    section: Mapping[str, Any]
    rule: Sweep
    paper_seeds: Sequence[int]

    @property
    def scale_file(self) -> str:
        """Path of the scale file, relative to the top folder."""
        return scale.scale_path(self.scale).as_posix()

    def command(self, seeds: Sequence[int], modes: str, scopes: str, options: str = "") -> str:
        """The command that queues runs of variants."""
        constraint = f"{self.scale_file}:{self.study}.train.constraint"
        return (
            f"dvc exp run --queue headline {options}-S study={self.study} -S scale={self.scale} "
            f"-S 'seed={','.join(map(str, seeds))}' -S '{constraint}.mode={modes}' -S '{constraint}.scope={scopes}'"
        )


@functools.lru_cache(maxsize=1024)
def _yaml(content: bytes) -> Any:
    try:
        return yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return None


def _mapping(content: Any) -> Mapping[str, Any]:
    return content if isinstance(content, Mapping) else {}


def _differences(there: Any, here: Any, key: str = "") -> Iterator[str]:
    """What differs between two sections, beside the constraint, each as `key is this, not that`."""
    if key == "train.constraint":
        return
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for name in dict.fromkeys([*here, *there]):
            yield from _differences(there.get(name), here.get(name), f"{key}.{name}" if key else name)
    elif there != here:
        yield f"{key} is {there}, not {here}"


def _declared(rule: Sweep, raw: Any, when: str, again: str) -> None:
    """Stop where another rule stood in the params.yaml whose content is `raw` than stands now."""
    stood = _mapping(_mapping(raw).get("sweep"))
    for key, words in (("perplexity_ratio_ceiling", "ceiling"), ("damage", "damage metric")):
        now = getattr(rule, key)
        mend = f"a {words} is declared beforehand;"
        if stood.get(key) is None:
            raise BadInput(f"params.yaml had no sweep.{key} {when}: {mend} {again}")
        if stood[key] != now:
            raise BadInput(f"the {words} was {stood[key]} {when} and is {now} now: {mend} set it back or {again}")


def _read(asked: Asked, experiment: Experiment, seed: int, variant: Variant, section: Any, root: Path) -> Run:
    """One run from a commit, once its results have been held against the parameters beside them.

    Raises:
        BadInput: a result is missing, against its schema, or of other parameters than the commit's.
    """
    remove = f"remove the experiment (`dvc exp remove {experiment.name}`) and queue it again with target headline"
    folder = paths.results(asked.study, seed)
    found = experiments.contents([(experiment.commit, f"{folder}/{name}") for name in RESULTS], root)
    parts = []
    for name, kind in zip(RESULTS, (schemas.Final, schemas.Training, metadata.Metadata), strict=True):
        where = Path(f"{experiment.name}:{folder}/{name}")
        content = found.get((experiment.commit, f"{folder}/{name}"))
        if content is None:
            raise BadInput(f"{where}: missing: {remove}")
        try:
            parts.append(schemas.validate(json.loads(content), kind, where))
        except ValueError as error:
            raise BadInput(f"{where}: not valid JSON ({error})") from error
    final, training, facts = parts
    constraint = training.constraint
    wanted = {
        "study": (final.study, asked.study),
        "scale": (final.scale, asked.scale),
        "seed": (final.seed, seed),
        "constraint": (constraint and (constraint.mode, constraint.scope), tuple(variant)),
        "hyperparameters": (facts.hyperparameters, section),
        "seed of metadata.json": (facts.seed, seed),
        "checkpoint of monotonic_training.json": (training.checkpoint, final.checkpoints.get("monotonic")),
        "checkpoint of metadata.json": (
            facts.checkpoints["monotonic"].sha256 if "monotonic" in facts.checkpoints else None,
            final.checkpoints.get("monotonic"),
        ),
    }
    for key, (there, here) in wanted.items():
        if there != here:
            raise BadInput(
                f"{experiment.name}:{folder}: {key} is not what params.yaml and {asked.scale_file} say there: the "
                f"results are of another run: {remove}"
            )
    for metric in ("evaluate.nll_per_token", asked.rule.damage):
        for arm in scale.ARMS:
            if arm not in final.metrics.get(metric, {}):
                raise BadInput(
                    f"{experiment.name}:{folder}/final_results.json: metrics.{metric}.{arm}: missing: params.yaml's "
                    f"sweep.damage must be a metric that {asked.study} has"
                )
    return Run(experiment, variant, seed, final, training, facts)


def _trained_under(asked: Asked, run: Run, root: Path) -> str | None:
    """Hold the rule against the commit that the run trained in, which a replay from DVC's run-cache cannot change.

    Returns:
        None, or why that could not be done.

    Raises:
        BadInput: another rule, or none, stood there.
    """
    record = run.metadata.stages.get("train.monotonic")
    commit = record.git.commit if record else None
    content = commit and experiments.contents([(commit, "params.yaml")], root).get((commit, "params.yaml"))
    if not commit or not content:
        return f"the commit in which {run.variant} trained at seed {run.seed} is not in this clone"
    when = f"in commit {commit[:10]}, in which {run.variant} trained at seed {run.seed} ({run.experiment.name})"
    _declared(
        asked.rule, _yaml(content), when, "commit it and run the variants again, with `dvc exp run -f` past the cache"
    )
    return None


def _agree(run: Run, first: Run) -> None:
    """Stop where two runs differ in more than their constraint and seed.

    Raises:
        BadInput: other data, another standard model, or other code.
    """
    both = f"experiments {first.experiment.name} and {run.experiment.name}"
    mend = "run the variants again from one commit, and remove the old ones (`dvc exp remove`)"
    if run.final.data_digest != first.final.data_digest:
        raise BadInput(f"{both} had different data (data_digest): {mend}")
    if run.final.checkpoints.get("standard") != first.final.checkpoints.get("standard"):
        raise BadInput(f"{both} started from different standard models: {mend}")
    for stage, record in first.metadata.stages.items():
        other = run.metadata.stages.get(stage)
        for path in sorted({*record.code, *(other.code if other else ())}):
            if other is None or other.code.get(path) != record.code.get(path):
                raise BadInput(f"{both} ran stage {stage} with different code ({path}): {mend}")


def _same(run: Run, twin: Run) -> None:
    """Stop where one variant has two different results at one seed."""
    if run.final != twin.final:
        key = next(
            (f"metrics.{name}" for name, value in run.final.metrics.items() if twin.final.metrics.get(name) != value),
            "checkpoints",
        )
        raise BadInput(
            f"{run.variant} ran twice at seed {run.seed} with different results ({key}; experiments "
            f"{twin.experiment.name} and {run.experiment.name}): remove the one that is wrong (`dvc exp remove`)"
        )


@dataclass
class Found:
    """What was found, filled step by step."""

    # Equal runs of one variant and seed lie in one list.
    runs: dict[Variant, dict[int, list[Run]]] = field(default_factory=dict)
    # Experiments of this study and scale that are not compared, and why.
    left_out: list[dict[str, str]] = field(default_factory=list)
    # Runs whose past could not be looked up, and why.
    unchecked: list[str] = field(default_factory=list)
    # Experiments of other studies and scales.
    elsewhere: int = 0
    seeds: list[int] = field(default_factory=list)

    def first(self) -> Run | None:
        """Any run, to hold the others against."""
        return next((twins[0] for seeds in self.runs.values() for twins in seeds.values()), None)

    def add(self, asked: Asked, run: Run, root: Path) -> None:
        """Take in a run.

        Raises:
            BadInput: it differs from the others in more than constraint and seed, contradicts its twin, or trained
                under another rule.
        """
        if first := self.first():
            _agree(run, first)
        if reason := _trained_under(asked, run, root):
            self.unchecked.append(reason)
        twins = self.runs.setdefault(run.variant, {}).setdefault(run.seed, [])
        if twins:
            _same(run, twins[0])
        twins.append(run)


def _section(asked: Asked, content: bytes | None) -> tuple[Mapping[str, Any], list[str]]:
    """The study's section of a scale file, and in what it differs from the one that stands here."""
    section = _mapping(_mapping(_yaml(content) if content else None).get(asked.study))
    return section, list(_differences(section, asked.section))


def _variant(section: Mapping[str, Any], where: str) -> Variant:
    constraint = scale.typed(scale.Constraint, _mapping(section.get("train")).get("constraint"), where)
    return Variant(constraint.mode, constraint.scope)


def _experiments(asked: Asked, found: Found, root: Path) -> None:
    """Read every experiment of this study at this scale."""
    known = experiments.listed(root)
    held = experiments.contents(
        [(each.commit, path) for each in known for path in ("params.yaml", asked.scale_file)], root
    )
    for experiment in known:
        raw = _mapping(_yaml(held.get((experiment.commit, "params.yaml"), b"")))
        if (raw.get("study"), raw.get("scale")) != (asked.study, asked.scale):
            found.elsewhere += 1
            continue
        if experiment.name.startswith(CONFIRMING):
            reason = f"its name begins with {CONFIRMING}: it confirms a choice and has no part in it"
            found.left_out.append({"experiment": experiment.name, "reason": reason})
            continue
        section, differing = _section(asked, held.get((experiment.commit, asked.scale_file)))
        if differing:
            more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
            reason = f"{asked.scale_file}: {asked.study}.{differing[0]}{more}"
            found.left_out.append({"experiment": experiment.name, "reason": reason})
            continue
        variant = _variant(section, f"{experiment.name}:{asked.scale_file}: {asked.study}.train.constraint")
        when = f"when variant {variant} ran (experiment {experiment.name})"
        _declared(asked.rule, raw, when, "run the variants again")
        found.add(asked, _read(asked, experiment, raw.get("seed"), variant, section, root), root)


def _committed(asked: Asked, found: Found, root: Path) -> None:
    """Add the committed runs of HEAD's variant at the experiments' seeds, unless experiments have that variant."""
    head = Experiment("HEAD", "HEAD")
    held = experiments.contents([("HEAD", "params.yaml"), ("HEAD", asked.scale_file)], root)
    try:
        section, differing = _section(asked, held.get(("HEAD", asked.scale_file)))
        if differing:
            raise BadInput(f"{asked.scale_file}: {asked.study}.{differing[0]}")
        variant = _variant(section, f"HEAD:{asked.scale_file}: {asked.study}.train.constraint")
        if variant in found.runs:
            return
        _declared(asked.rule, _yaml(held.get(("HEAD", "params.yaml"), b"")), "at HEAD", "commit it")
        own = Found()
        for seed in sorted({seed for seeds in found.runs.values() for seed in seeds}):
            run = _read(asked, head, seed, variant, section, root)
            _agree(run, found.first() or run)
            own.add(asked, run, root)
    except BadInput as error:
        found.left_out.append({"experiment": "HEAD", "reason": str(error)})
        return
    found.runs.update(own.runs)
    found.unchecked += own.unchecked


def _paired(asked: Asked, found: Found) -> list[int]:
    """The seeds, once every variant has the same ones.

    Raises:
        BadInput: fewer than two variants, or one lacks a seed.
    """
    if len(found.runs) < 2:
        there = f"only {next(iter(found.runs))}" if found.runs else "none"
        out = found.left_out
        others = [
            *([f"of other studies or scales: {found.elsewhere}"] if found.elsewhere else []),
            *([f"left out: {len(out)}, {out[0]['experiment']}: {out[0]['reason']}"] if out else []),
        ]
        more = f" ({'; '.join(others)})" if others else ""
        asking = asked.command(asked.paper_seeds[:2], "nonneg", "<scope>,<scope>")
        raise BadInput(
            f"a sweep compares two variants of {asked.study} at scale {asked.scale} or more; there is {there}{more}: "
            f"queue them: {asking}; dvc queue start"
        )
    seeds = sorted({seed for own in found.runs.values() for seed in own})
    lacking = {variant: [seed for seed in seeds if seed not in own] for variant, own in found.runs.items()}
    lacking = {variant: missing for variant, missing in lacking.items() if missing}
    if lacking:
        named = "; ".join(
            f"{variant} has no run of seed {', '.join(map(str, own))}" for variant, own in lacking.items()
        )
        variant, missing = next(iter(lacking.items()))
        raise BadInput(
            f"variants are compared at the same seeds, and {named}: queue what is missing: "
            f"{asked.command(missing, *variant)}; dvc queue start"
        )
    return seeds


def gather(asked: Asked, root: Path = Path()) -> Found:
    """Every run that is to be compared: each variant at the same seeds.

    HEAD's committed runs stand in for its variant where no experiment has it.

    Raises:
        BadInput: fewer than two variants, a seed that one of them lacks, results that differ from each other or from
            their parameters, or a rule that is not the one under which they ran.
    """
    found = Found()
    _experiments(asked, found, root)
    if found.runs:
        _committed(asked, found, root)
    found.seeds = _paired(asked, found)
    return found
