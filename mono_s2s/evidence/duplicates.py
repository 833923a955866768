"""Runs that are one run under several names.

Two trainings never agree to the last digit. Where the results of two folders do, once everything that only names a run
is left out (seeds, times, hosts, paths, digests), one of them is a copy.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any

from mono_s2s.evidence.audit import results
from mono_s2s.evidence.audit.results import Run, escaped
from mono_s2s.files import BadInput

# Keys that name a run or say when, where and how fast it ran, and not what came out.
_NAMING = re.compile(
    r"(?i)^_|seed|time|date|second|minute|hour|duration|started|ended|host|user|path|dir$|metadata|environment|"
    r"run_?id|experiment_?id|commit|version|digest|sha256|md5|hash|checkpoint"
)
# Keys by which a file says whose results it holds.
_CLAIMING = re.compile(r"(?i)seed|run_?id|experiment_?id|checkpoint")
_HEXADECIMAL = re.compile(r"[0-9a-f]{32,}")
# A number with so many digits was measured, not chosen.
_MEASURED = 6
# So many measured numbers in a file or a list, and equality is no accident.
_ENOUGH = 3


def _is_measured(value: Any) -> bool:
    return isinstance(value, Decimal) and value.is_finite() and len(value.normalize().as_tuple().digits) >= _MEASURED


def payload(content: Any) -> Any:
    """A file's content without what only names the run."""
    if isinstance(content, Mapping):
        return {key: payload(value) for key, value in content.items() if not _NAMING.search(str(key))}
    if isinstance(content, list):
        return [payload(value) for value in content]
    if isinstance(content, str):
        return None if "/" in content or _HEXADECIMAL.fullmatch(content) else content
    if isinstance(content, Decimal):
        return f"{content.normalize():E}" if content.is_finite() else str(content)
    return content if not isinstance(content, float) else repr(content)


def _digest(content: Any) -> str:
    text = json.dumps(payload(content), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _measured(content: Any) -> int:
    if isinstance(content, Mapping):
        return sum(_measured(value) for key, value in content.items() if not _NAMING.search(str(key)))
    if isinstance(content, list):
        return sum(map(_measured, content))
    return int(_is_measured(content))


def _claims(content: Any) -> bool:
    if isinstance(content, Mapping):
        return any(_CLAIMING.search(str(key)) or _claims(value) for key, value in content.items())
    if isinstance(content, list):
        return any(_claims(value) for value in content[:5])
    return False


def _lists(content: Any, pointer: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every list of measured numbers: a loss curve, say."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            if not _NAMING.search(str(key)):
                yield from _lists(value, f"{pointer}/{escaped(str(key))}")
    elif isinstance(content, list):
        if sum(map(_is_measured, content)) >= _ENOUGH:
            yield pointer, content
        elif len(content) <= results.LONGEST:
            for place, value in enumerate(content):
                yield from _lists(value, f"{pointer}/{place}")


def _siblings(some: Iterable[str], runs: Iterable[str]) -> set[str]:
    """Those of `runs` that lie in a folder in which one of `some` lies."""
    folders = {PurePath(run).parent for run in some}
    return {run for run in runs if PurePath(run).parent in folders}


def _suspicious(places: Sequence[tuple[str, str]], having: Mapping[str, Sequence[str]], claims: bool) -> bool:
    """Whether equal files are a copy and not an input that all runs share.

    What every one of several runs of one study (of one folder) has in common is their data or their starting point; of
    two runs, only what says whose it is can be told from that.
    """
    names = {name for _, name in places}
    runs = {run for run, _ in places}
    if len(names) > 1 and len(runs) < len(places):
        return True
    everyone = _siblings(runs, {run for name in names for run in having[name]})
    return len(runs) < len(everyone) if len(everyone) > 2 else claims


def find(folders: Sequence[Path]) -> dict[str, Any]:
    """Compare all runs below some folders.

    Returns:
        `runs`: each run's files with the digests of their payloads, and the folder's own digest;
        `same_runs`: groups of runs whose results are all equal, as far as they have the same files;
        `same_files`: groups of equal files that cannot be a common input;
        `same_lists`: equal lists of measured numbers in files that differ otherwise;
        `shared`: equal files that are a common input;
        `problems`: files that cannot be read.

    Raises:
        BadInput: a folder is missing or without results, or there is a single run.
    """
    runs = results.discover(folders)
    if len(runs) < 2:
        raise BadInput(
            f"{', '.join(map(str, folders))}: one run alone has nothing to be compared with: name more folders"
        )
    digests = {run.name: {name: _digest(content) for name, content in sorted(run.contents.items())} for run in runs}
    telling = {
        run.name: {name for name, content in run.contents.items() if _measured(content) >= _ENOUGH} for run in runs
    }
    same_runs = _same_runs(runs, digests, telling)
    grouped = {run: place for place, group in enumerate(same_runs) for run in group}
    same_files, shared = _same_files(runs, digests, telling, grouped)
    return {
        "schema_version": 1,
        "runs": [{"run": run.name, "digest": _folder(digests[run.name]), "files": digests[run.name]} for run in runs],
        "same_runs": same_runs,
        "same_files": same_files,
        "same_lists": _same_lists(runs, digests, grouped),
        "shared": shared,
        "problems": [f"{run.name}/{line}" for run in runs for line in run.unreadable],
    }


def _folder(digests: Mapping[str, str]) -> str:
    return hashlib.sha256("".join(f"{name}\0{digest}\n" for name, digest in digests.items()).encode()).hexdigest()


def _same_runs(runs: Sequence[Run], digests, telling) -> list[list[str]]:
    groups: list[list[str]] = []
    for run in runs:
        for group in groups:
            if all(_one(digests, telling, run.name, other) for other in group):
                group.append(run.name)
                break
        else:
            groups.append([run.name])
    return [group for group in groups if len(group) > 1]


def _one(digests, telling, first: str, second: str) -> bool:
    """Whether all files of results that two runs share are equal, and they share at least half of each one's."""
    common = telling[first] & telling[second]
    enough = bool(common) and 2 * len(common) >= max(len(telling[first]), len(telling[second]))
    return enough and all(digests[first][name] == digests[second][name] for name in common)


def _same_files(runs: Sequence[Run], digests, telling, grouped) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    having: dict[str, list[str]] = defaultdict(list)
    equal: dict[str, list[tuple[str, str]]] = defaultdict(list)
    contents = {(run.name, name): content for run in runs for name, content in run.contents.items()}
    for run in runs:
        for name in sorted(telling[run.name]):
            having[name].append(run.name)
            equal[digests[run.name][name]].append((run.name, name))
    copies, shared = [], []
    for digest, places in equal.items():
        if len(places) < 2:
            continue
        groups = {grouped.get(run, run) for run, _ in places}
        entry = {"files": [f"{run}/{name}" for run, name in places], "digest": digest}
        if len(groups) == 1 and len({name for _, name in places}) == 1:
            # Said already: these runs are one.
            continue
        if _suspicious(places, having, any(_claims(contents[place]) for place in places)):
            copies.append(entry)
        else:
            shared.append(entry)
    return copies, shared


def _same_lists(runs: Sequence[Run], digests, grouped) -> list[dict[str, Any]]:
    found: dict[str, list[tuple[str, str, str, int]]] = defaultdict(list)
    for run in runs:
        for name, content in sorted(run.contents.items()):
            for pointer, values in _lists(content):
                found[_digest(values)].append((run.name, name, pointer, len(values)))
    entries, everyone = [], {run.name for run in runs}
    for places in found.values():
        names = {run for run, _, _, _ in places}
        whole = {digests[run][name] for run, name, _, _ in places}
        if len({grouped.get(run, run) for run in names}) < 2 or len(whole) < 2:
            continue
        if len(names) > 2 and names == _siblings(names, everyone):
            continue
        entries.append(
            {"numbers": places[0][3], "places": [f"{run}/{name}: {pointer}" for run, name, pointer, _ in places]}
        )
    return entries


def exit_code(report: Mapping[str, Any]) -> int:
    """1 where one run, one file or one curve stands under several names."""
    return int(any(report[kind] for kind in ("same_runs", "same_files", "same_lists")))


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The report for people, one line a finding."""
    for group in report["same_runs"]:
        yield f"one run under {len(group)} names: {', '.join(group)}: keep one, run the others anew"
    for entry in report["same_files"]:
        yield f"one file under {len(entry['files'])} names: {', '.join(entry['files'])}: find out whose it is"
    for entry in report["same_lists"]:
        yield f"the same {entry['numbers']} numbers in {', '.join(entry['places'])}: find out whose they are"
    for entry in report["shared"]:
        yield f"a common input, it seems: {', '.join(entry['files'])}"
    for problem in report["problems"]:
        yield f"cannot be read: {problem}"
    if not exit_code(report):
        yield f"{len(report['runs'])} runs, no two of them the same"
