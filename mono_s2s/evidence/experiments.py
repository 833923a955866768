r"""DVC's experiments, read from git alone: which there are, and the files that each of them committed.

What DVC 3.67 leaves, as measured: a finished experiment is a ref refs/exps/<first 2 digits>/<other 38 digits of the
commit that it started from>/<name>, one commit on top of that one. The commit holds params.yaml and the scale file with
the values of `-S`, dvc.lock, and the `cache: false` outs of what ran: the results of its own seed. All other seeds'
results in its tree are those of the commit that it started from, of other parameters perhaps. Refs such as
refs/exps/stash, refs/exps/celery/stash and refs/exps/exec/* are the queue's. A run that is queued, running or failed
has no ref; an experiment that changes nothing has one all the same, with an empty commit. What DVC replays from its
run-cache keeps the records of the processes that ran, the commit in which they did included. `-n NAME` with several
values of `-S` gives NAME-1, NAME-2 and so on. In one command seeds and constraints multiply, a file before its keys:

    dvc exp run --queue headline -S scale=toy -S 'seed=42,1337' \
      -S 'scales/toy.yaml:t5_experiments.train.constraint.mode=nonneg,abs_init_free'
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mono_s2s.files import BadInput

_REF = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(?P<name>.+)")


@dataclass(frozen=True)
class Experiment:
    """One experiment: its name and the commit that holds what it left."""

    name: str
    commit: str


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, input=given, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise BadInput("git: not found: experiments are git commits, install git") from error
    if done.returncode:
        raise BadInput(
            f"git {arguments[0]}: {' '.join(done.stderr.decode(errors='replace').split())}: run from the top folder of "
            "a git checkout"
        )
    return done.stdout


def listed(root: Path = Path()) -> list[Experiment]:
    """Every finished experiment, whatever commit it started from, by name.

    Raises:
        BadInput: `root` is in no git repository.
    """
    lines = _git(root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").decode().splitlines()
    found = []
    for line in lines:
        commit, ref = line.split(" ", 1)
        if match := _REF.fullmatch(ref):
            found.append(Experiment(match["name"], commit))
    return sorted(found, key=lambda experiment: (experiment.name, experiment.commit))


def commit_of(revision: str, root: Path = Path()) -> str:
    """The commit that a revision (HEAD~1, a tag, a branch) names.

    Raises:
        BadInput: there is none, or `root` is in no git repository.
    """
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    except BadInput as error:
        raise BadInput(f"{revision}: no such commit here: name a tag, a branch or a commit of this clone") from error


def names(commit: str, folders: Iterable[str], root: Path = Path()) -> list[str]:
    """The files of a commit that lie below `folders`, relative to `root`."""
    found = _git(root, "ls-tree", "-r", "-z", "--name-only", commit, "--", *folders).decode()
    return [name for name in found.split("\0") if name]


def contents(wanted: Iterable[tuple[str, str]], root: Path = Path()) -> dict[tuple[str, str], bytes]:
    """The bytes of files as they are in commits, by (commit, path below `root`); those that are not there are left out.

    One process of git for all of them: a hundred experiments are read in a moment.

    Raises:
        BadInput: `root` is in no git repository.
    """
    pairs = list(dict.fromkeys(wanted))
    lines = "".join(f"{commit}:./{path}\n" for commit, path in pairs)
    text = _git(root, "cat-file", "--batch", given=lines.encode())
    found, place = {}, 0
    for pair in pairs:
        end = text.index(b"\n", place)
        header = text[place:end].split(b" ")
        place = end + 1
        if header[-1] == b"missing":
            continue
        # "<object> blob <size>", the bytes, and a line end.
        size = int(header[-1])
        found[pair] = text[place : place + size]
        place += size + 1
    return found
