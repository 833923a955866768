"""Clones of this checkout, and commands run in them as a user types them."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SEEDS = (42, 1337, 2024, 8888, 12345)
STUDY = "t5_experiments"
STUDIES = (STUDY, "foundation_llm_experiments")


class Clone:
    """A git repository with this project in it, and commands run as a user types them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def search_path(self) -> str:
        """PATH with the environment's commands first, as after activating it."""
        return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run(self, command: str, *, ok: bool | None = True) -> str:
        """The command's output; `ok` says how it must end (None: either way)."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC", "GIT_"))}
        environment["PATH"] = self.search_path()
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        done = subprocess.run(
            command, shell=True, cwd=self.path, env=environment, capture_output=True, text=True, check=False
        )
        text = done.stdout + done.stderr
        if ok is not None:
            assert (done.returncode == 0) is ok, f"`{command}` ended with {done.returncode}:\n{text[-4000:]}"
        return text

    def stages_run(self, text: str) -> list[str]:
        """Names of the stages whose command was executed, without those that always run: `paper`, `aggregate`."""
        names = re.findall(r"^Running stage '(?:[\w/]+\.yaml:)?([\w@.-]+)'", text, re.MULTILINE)
        return [name for name in names if name.partition("@")[0] not in ("paper", "aggregate")]

    def wait_for_queue(self) -> str:
        """DVC's queue once nothing waits or runs in it; three minutes at most."""
        for _ in range(90):
            status = self.run("dvc queue status")
            if not re.search("Queued|Running", status):
                return status
            time.sleep(2)
        raise AssertionError(f"the queue has not ended:\n{status}")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace `old`, which must be there, in a file."""
        path = self.path / name
        text = path.read_text()
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new, 1))

    def append(self, name: str, text: str) -> None:
        with (self.path / name).open("a") as file:
            file.write(text)

    def evidence(self) -> dict[str, str]:
        """Digests of all that the paper is built from or made of."""
        found = {}
        for folder in ("paper_evidence", "experiment_results"):
            for path in sorted((self.path / folder).rglob("*")):
                if path.is_file() and not path.name.startswith("."):
                    found[path.relative_to(self.path).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def tables(self) -> dict[str, str]:
        """Digests of what a reader would print."""
        return {name: digest for name, digest in self.evidence().items() if re.search("table|numbers|aggregated", name)}

    def all_files(self) -> dict[str, str]:
        """Digests of everything that git could see."""
        names = self.run("git ls-files --cached --others --exclude-standard").split("\n")
        return {
            name: hashlib.sha256((self.path / name).read_bytes()).hexdigest()
            for name in names
            if name and (self.path / name).is_file()
        }


def copied(source: Path, target: Path) -> Clone:
    """A copy with time stamps, so that DVC need not hash anew."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)
    return Clone(target)


def working_tree(target: Path) -> Clone:
    """This checkout's files, as they are now, as the first commit of a new repository, without results."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    results = re.compile(
        r"experiment_results/|paper_evidence/(table_.*\.(json|tex)|numbers\.tex|provenance\.json|PAPER_.*)$|.*dvc\.lock$|metrics\.json|curves/"
    )
    for name in names:
        if name and (ROOT / name).is_file() and not results.match(name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    clone = Clone(target)
    clone.run("git init -q -b main && git config user.name tester && git config user.email tester@example.org")
    clone.edit("params.yaml", "scale: demo", "scale: toy")
    clone.run("git add -A && git commit -qm 'feat: start'")
    return clone
