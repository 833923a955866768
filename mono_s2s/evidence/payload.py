"""The files that git tracks in this checkout, hashed once each: what a crate holds."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mono_s2s.files import BadInput

DESCRIPTOR = "ro-crate-metadata.json"


@dataclass(frozen=True)
class File:
    """One file of the payload."""

    content: bytes
    executable: bool

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def md5(self) -> str:
        """MD5 of the content, as dvc.lock has it."""
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Payload:
    """All files by path, sorted, and what git says about them."""

    files: Mapping[str, File]
    # Git's name of the tree; None where files differ from it.
    tree: str | None

    def below(self, folder: str) -> list[str]:
        """Paths of the files in a folder, at any depth."""
        return [path for path in self.files if path.startswith(f"{folder}/")]

    def md5(self, path: str) -> str | None:
        """MD5 of a file or folder of the payload, as dvc.lock has it; None if it is not there.

        A folder's counts the files of the payload alone, so that data which git ignores cannot pass for part of it.
        """
        if path in self.files:
            return self.files[path].md5
        entries = [{"md5": self.files[name].md5, "relpath": name[len(path) + 1 :]} for name in self.below(path)]
        entries.sort(key=lambda entry: entry["relpath"])
        if not entries:
            return None
        return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, encoding="utf-8", check=False
        )
    except FileNotFoundError as error:
        raise BadInput("git: not found: a crate holds what git tracks, install git") from error
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise BadInput(f"git {arguments[0]}: {said}: run from the top folder of a git checkout with a commit")
    return done.stdout


def ignored(root: Path, path: str) -> bool:
    """Whether git would leave a file out even if it were there."""
    done = subprocess.run(["git", "check-ignore", "-q", "--", path], cwd=root, capture_output=True, check=False)
    return done.returncode == 0


def _changed(root: Path, left_out: str | None) -> Iterator[str]:
    """Paths that differ from the last commit, or that git neither tracks nor ignores."""
    found = iter(_git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--", ".").split("\0"))
    for entry in found:
        if not entry:
            continue
        path = entry[3:]
        if "R" in entry[:2] or "C" in entry[:2]:
            # Git names the old path after the new one.
            next(found, None)
        if path != left_out:
            yield path


def gather(root: Path, left_out: Path, allow_dirty: bool = False) -> Payload:
    """Read every file that git tracks, or could track.

    Args:
        root: top folder of the checkout.
        left_out: the file that is to be written; never part of the payload.
        allow_dirty: take the files as they lie, edits and new files included.

    Raises:
        BadInput: no git checkout, or the tree is dirty and may not be.
    """
    resolved = left_out.resolve()
    top = root.resolve()
    own = resolved.relative_to(top).as_posix() if resolved.is_relative_to(top) else None
    changed = sorted(_changed(root, own))
    if changed and not allow_dirty:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise BadInput(
            f"{changed[0]}{more}: not as in the last commit: a crate of a dirty tree cannot be made again: commit, or "
            "add --allow-dirty"
        )
    names = set(_git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".").split("\0"))
    found = {}
    for name in sorted(names - {"", own, DESCRIPTOR}):
        path = root / name
        # A folder is a repository inside this one; what is missing was removed and not yet committed.
        if path.is_file():
            found[name] = File(path.read_bytes(), bool(path.stat().st_mode & 0o100))
    tree = None if changed else _git(root, "rev-parse", "HEAD^{tree}").strip()
    return Payload(found, tree)
