"""Which file of a folder changed since DVC hashed it: dvc.lock has one digest for all of them, git has their bytes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mono_s2s import files
from mono_s2s.evidence import experiments
from mono_s2s.files import BadInput

# Commits that touched the folder; further back nobody looks.
_DEPTH = 20


def _git(root: Path, *arguments: str) -> list[str]:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return [item for item in done.stdout.replace("\0", "\n").splitlines() if item] if done.returncode == 0 else []


def _md5(of_file: Mapping[str, str]) -> str:
    """Digest of a folder as DVC has it, from its files' digests by their path in it (`files.md5`)."""
    entries = [{"md5": md5, "relpath": name} for name, md5 in sorted(of_file.items())]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _now(folder: Path) -> dict[str, str]:
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            found[path.relative_to(folder).as_posix()] = files.md5(path)
    return found


def _then(folder: str, commit: str, root: Path) -> dict[str, str]:
    names = _git(root, "ls-tree", "-r", "-z", "--name-only", commit, f"./{folder}")
    contents = experiments.contents([(commit, name) for name in names], root)
    return {
        name.removeprefix(f"{folder}/"): hashlib.md5(content, usedforsecurity=False).hexdigest()
        for (_, name), content in contents.items()
    }


def changed(folder: str, md5: str, root: Path = Path()) -> list[str]:
    """Files of a folder that were changed, added or removed since its digest was `md5`.

    Proven, not guessed: a commit is looked for whose folder has that digest. Where there is none (files that git does
    not know, say), the folder itself is all that can be named.
    """
    now = _now(root / folder)
    try:
        for commit in _git(root, "log", f"--max-count={_DEPTH}", "--format=%H", "--", folder):
            then = _then(folder, commit, root)
            if _md5(then) == md5:
                return [f"{folder}/{name}" for name in sorted({*now, *then}) if now.get(name) != then.get(name)]
    except BadInput:
        pass
    return [folder]
