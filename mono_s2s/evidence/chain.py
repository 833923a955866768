"""The chain of one number in lines that fit a screen of 80 x 40."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

WIDTH = 80
_LABEL = 11
# With more stages behind a number, their parameters are left to --json; with many, all but their commits and times.
_STAGES_IN_FULL, _STAGES_IN_SHORT = 1, 2
_PARAMETER_LINES = 4
Line = tuple[str, str]


def _wrapped(label: str, text: str, most: int | None = None) -> Iterator[Line]:
    """A labelled text over as many lines as it takes; a path that is too long breaks before its last step."""
    found = textwrap.wrap(text, WIDTH - _LABEL, break_long_words=False, break_on_hyphens=False)
    lines: list[str] = []
    for line in found or [""]:
        if len(line) > WIDTH - _LABEL and "/" in line:
            folder, _, name = line.rpartition("/")
            lines += [f"{folder}/", f"  {name}"]
        else:
            lines.append(line)
    if most and len(lines) > most:
        lines = [*lines[:most], "... (--json has all)"]
    for place, line in enumerate(lines):
        yield ("" if place else label), line


def _short(digest: str | None, count: int = 12) -> str:
    return digest[:count] if digest else "none"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return json.dumps(value, ensure_ascii=False)


def _intact(file: Mapping[str, Any]) -> str:
    if file["intact"]:
        return f"md5 {file['md5']}, as in {file['lock']}"
    return "not what its stage wrote" if file["md5"] else "no stage in dvc.lock wrote it"


def duration(seconds: float) -> str:
    """12.3 s, 4 min 5 s, 2 h 3 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _by_seed(found: Mapping[int, str]) -> str:
    """What all seeds share, or each value with its seeds."""
    groups: dict[str, list[int]] = {}
    for seed, value in found.items():
        groups.setdefault(value, []).append(seed)
    if len(groups) < 2:
        return next(iter(groups), "")
    return "; ".join(f"{value} (seed {', '.join(map(str, seeds))})" for value, seeds in groups.items())


def _seedless(text: str, seeds: Sequence[int]) -> str:
    """A command or an address with <seed> for the number, where there are several."""
    if len(seeds) < 2:
        return text
    for step in " -_":
        text = text.replace(f"{step}{seeds[0]}", f"{step}<seed>")
    return text


def _head(found: Mapping[str, Any]) -> Iterator[Line]:
    table = found["table"]
    if table:
        where = [part for part in (found["row"], found["column"]) if part]
        yield from _wrapped("is", f"table {table.split('_')[1]}: {' | '.join(where)}")
    else:
        yield from _wrapped("is", f"a number for the text, \\evidence{{{found['key']}}}, of {found['study']}")
    if found["also"]:
        yield from _wrapped("same as", ", ".join(found["also"]), most=2)
    yield "", ""
    yield "printed", found["text"]
    yield from _wrapped("in", found["printed_in"]["path"])
    if not found["printed_in"]["intact"]:
        yield "", _intact(found["printed_in"])
    yield from _wrapped("value", _value(found["value"]))
    yield from _wrapped("pointer", found["source"]["pointer"])
    yield from _wrapped("file", found["source"]["path"])
    yield "", _intact(found["source"])
    if found["source"]["stage"]:
        yield from _wrapped("stage", found["source"]["stage"])
        yield from _wrapped("command", found["source"]["command"])


def _runs(found: Mapping[str, Any]) -> Iterator[Line]:
    runs = found["runs"]
    if not runs:
        return
    yield "", ""
    width = 12 if len(found["models"]) < 3 else 6
    title = " ".join(f"{model:<{width + 1}}" for model in found["models"])
    yield "run", f"{'seed':<7}{'value':<14}{title} file's md5"
    for run in runs:
        value = "" if run["value"] is None else f"{run['value']:.6g}"
        weights = " ".join(f"{_short(run['checkpoints'].get(model), width):<{width + 1}}" for model in found["models"])
        state = f"{_short(run['file']['md5'])}{'' if run['file']['intact'] else ' BROKEN'}"
        yield "", f"{run['seed']:<7}{value:<14}{weights} {state}"
    seeds = [run["seed"] for run in runs]
    if runs[0]["pointers"]:
        yield from _wrapped("each from", _seedless(runs[0]["file"]["path"], seeds))
        yield from _wrapped("", " − ".join(runs[0]["pointers"]))
    if found["files"]:
        yield from _wrapped("results", ", ".join(found["files"]))
    yield from _wrapped("data", _by_seed({run["seed"]: str(run["data_digest"]) for run in runs}))


def _parameters(record: Mapping[str, Any], study: str) -> str:
    parts = []
    for file, keys in record["params"].items():
        # What the stage alone has comes first: the rest may not fit.
        own = sorted(keys, key=lambda key: not key.startswith(f"{study}.{record['stage']}"))
        shown = ", ".join(f"{key.removeprefix(f'{study}.')} {json.dumps(keys[key])}" for key in own)
        parts.append(f"{file}: {shown}".replace('"', ""))
    return "; ".join(parts) or "none"


def _code(record: Mapping[str, Any]) -> str:
    git = record["git"]
    dirty = {True: "with local edits", False: "clean", None: "state unknown"}[git["dirty"]]
    return f"commit {_short(git['commit'])}, {dirty}"


def _host(record: Mapping[str, Any]) -> str:
    hardware = record["hardware"]
    job = hardware["slurm"].get("SLURM_JOB_ID")
    parts = [hardware["node"], hardware["gpu"] or hardware["processor"], f"job {job}" if job else ""]
    return ", ".join(part for part in parts if part)


def _stage(one: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], study: str, full: bool) -> Iterator[Line]:
    records = {run["seed"]: run["records"][one["record"]] for run in runs if one["record"] in run["records"]}
    seeds = list(records)
    yield "", ""
    yield from _wrapped("stage", _seedless(one["addresses"][0], seeds))
    if not records:
        return
    first = next(iter(records.values()))
    yield from _wrapped("command", _seedless(" ".join(first["command"]), seeds))
    if full:
        yield from _wrapped("parameters", _parameters(first, study), most=_PARAMETER_LINES)
    code = _by_seed({seed: _code(record) for seed, record in records.items()})
    yield from _wrapped("code", f"{code}; {len(first['code'])} files loaded")
    if full:
        yield from _wrapped("host", _by_seed({seed: _host(record) for seed, record in records.items()}), most=2)
    took = [record["seconds"] for record in records.values()]
    shared = len(one["addresses"]) == 1
    total = duration(took[0]) if shared else f"{duration(sum(took))} in all, {duration(max(took))} at most"
    yield "duration", f"{total}; began {first['started']}"
    if full and one["upstream"]:
        yield from _wrapped("built on", ", ".join(one["upstream"]))


def _table_of_stages(stages: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    yield "", ""
    for place, one in enumerate(stages):
        records = {run["seed"]: run["records"][one["record"]] for run in runs if one["record"] in run["records"]}
        code = _by_seed({seed: _code(record) for seed, record in records.items()}) or "no record"
        yield from _wrapped("" if place else "stages", f"{one['record']:<16}{code}")


def lines(found: Mapping[str, Any]) -> list[Line]:
    """The chain as labels and texts, first what is printed, last what does not hold."""
    told = [(found["key"], ""), *_head(found), *_runs(found)]
    full = len(found["stages"]) <= _STAGES_IN_FULL
    if len(found["stages"]) > _STAGES_IN_SHORT:
        told += _table_of_stages(found["stages"], found["runs"])
    else:
        for one in found["stages"]:
            told += _stage(one, found["runs"], found["study"], full)
    told.append(("", ""))
    if found["broken"]:
        for line in found["broken"]:
            told += _wrapped("BROKEN", line)
    else:
        told.append(("Every link holds.", ""))
    return told


def plain(told: Iterable[Line]) -> Iterator[str]:
    """Lines of text."""
    for label, text in told:
        yield f"{label:<{_LABEL}}{text}".rstrip() if label or text else ""
