"""What a process says about itself while it runs.

DVC hashes a stage's files after the command has ended, trusts the list of dependencies that somebody typed, and can be
told to believe anything (`dvc commit -f`). So each heavy process writes down what it really used: the first-party
source files that it loaded, its parameters, its inputs and outputs, the machine, the versions. `aggregate` compares
this with `dvc.lock` and the checkout before it adds anything up.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mono_s2s import files

PACKAGES = ("datasets", "dvc", "dvclive", "numpy", "rouge-score", "safetensors", "tokenizers", "torch", "transformers")


def loaded_code(root: Path) -> dict[str, str]:
    """MD5 of every first-party module that this process has imported, by path relative to `root`.

    Raises:
        BadInput: `mono_s2s` came from somewhere else than this checkout.
    """
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        main = name == "__main__" and getattr(module, "__spec__", None) is not None
        if file is None or not (main or name.split(".")[0] in ("mono_s2s", "stages")):
            continue
        path = Path(file).resolve()
        if not path.is_relative_to(root.resolve()):
            if main:
                continue
            raise files.BadInput(f"{name} was imported from {path}, not from {root.resolve()}: run from the top folder")
        found[path.relative_to(root.resolve()).as_posix()] = files.md5(path)
    return dict(sorted(found.items()))


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def git_facts() -> dict[str, Any]:
    """Commit, branch, exact tag and dirtiness of the checkout; None where git cannot tell."""
    status = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "branch": _git("rev-parse", "--abbrev-ref", "HEAD"),
        "tag": _git("describe", "--tags", "--exact-match"),
        "dirty": None if status is None else bool(status),
    }


def hardware() -> dict[str, Any]:
    """Node, processor, GPU and SLURM job ids. Asks torch only if the process has loaded it already."""
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name(0) if torch is not None and torch.cuda.is_available() else None
    names = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID")
    return {
        "node": platform.node(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": gpu,
        "slurm": {name: os.environ[name] for name in names if name in os.environ},
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


@contextlib.contextmanager
def recording(
    stage: str,
    path: Path,
    *,
    params: Mapping[str, Any],
    inputs: Sequence[Path],
    outputs: Sequence[Path],
    identity: Mapping[str, Any],
    root: Path = Path(),
) -> Iterator[None]:
    """Write the process's record to `path` when the block has ended well.

    Args:
        stage: name of the stage.
        path: where the record goes, relative to `root`; a DVC out of its own, beside `outputs` and in none of them, so
            that its times and host names make nothing downstream stale.
        params: the parameters that the stage used, as DVC tracks them (`scale.tracked`).
        inputs: data files and folders that the stage reads, relative to `root`.
        outputs: files and folders that it writes, relative to `root`.
        identity: study, seed, arm and the like.
        root: the top folder of the checkout.

    Raises:
        BadInput: an input is missing, or a source file or an input was changed while the process ran.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    for item in inputs:
        if not (root / item).exists():
            raise files.BadInput(f"{item}: missing, {stage} needs it: run `dvc repro` (or `dvc pull`) first")
    code_before = loaded_code(root)
    inputs_before = {item.as_posix(): files.md5(root / item) for item in inputs}
    git = git_facts()
    yield
    code = loaded_code(root)
    for name, digest in code_before.items():
        if code.get(name, digest) != digest:
            raise files.BadInput(f"{name}: edited while {stage} ran: run the stage again")
    for name, digest in inputs_before.items():
        if files.md5(root / name) != digest:
            raise files.BadInput(f"{name}: changed while {stage} ran: run the stage again")
    files.write_json(
        root / path,
        {
            "schema_version": 1,
            "stage": stage,
            "command": [Path(sys.orig_argv[0]).name, *sys.orig_argv[1:]],
            "identity": dict(identity),
            "code": code,
            "params": dict(params),
            "inputs": inputs_before,
            "outputs": {item.as_posix(): files.md5(root / item) for item in outputs},
            "git": git,
            "hardware": hardware(),
            "versions": versions(),
            "started": started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock, 3),
        },
    )
