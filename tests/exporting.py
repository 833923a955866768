"""A made-up study as a git checkout, ready to be exported; and the tools that judge what comes out."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import studies
from studies import ROOT

from mono_s2s import files

PAPER = {
    "index": ["experiment_results/experiment_index.json", "experiment_results/RESULTS_README.md"],
    "tables": ["paper_evidence/table_5_hotflip_attacks.json", "paper_evidence/table_5_hotflip_attacks.tex"],
    "provenance": ["paper_evidence/provenance.json", "paper_evidence/PAPER_EVIDENCE_README.md"],
}
TOP = ("README.md", "LICENSE", "CITATION.cff", ".zenodo.json", ".gitignore", ".gitattributes", "dvc.yaml", "Makefile")


def git(root, *arguments):
    """Output of git in `root`, whoever the user is."""
    who = ("-c", "user.name=tester", "-c", "user.email=tester@example.org")
    done = subprocess.run(["git", *who, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


def commit(root, what="feat: all"):
    """Commit everything."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", what)


def checkout(root):
    """Make a finished made-up study a git checkout: graphs, lock files of all evidence stages, licence, a commit."""
    for name in (*TOP, "paper_evidence/dvc.yaml"):
        shutil.copy(ROOT / name, root / name)
    lock = studies.from_yaml(root / "paper_evidence/dvc.lock")
    for stage, names in PAPER.items():
        outs = [{"path": name, "hash": "md5", "md5": files.md5(root / name)} for name in names]
        lock["stages"][stage] = {"cmd": f"python -m stages.{stage}", "deps": outs[:0], "outs": outs}
    folder = "experiment_results/t5_experiments/seed_42"
    specs = {"path": "paper_evidence/specs", "hash": "md5", "md5": files.md5(root / "paper_evidence/specs")}
    lock["stages"]["tables"]["deps"] = [specs]
    lock["stages"]["index"]["deps"] = [{"path": folder, "hash": "md5", "md5": files.md5(root / folder)}]
    (root / "paper_evidence/dvc.lock").write_text(studies.to_yaml(lock))
    git(root, "init", "-q", "-b", "main")
    commit(root)
    return root


def graph(archive):
    """Entities of a crate by id."""
    with zipfile.ZipFile(archive) as opened:
        return {entity["@id"]: entity for entity in json.loads(opened.read("ro-crate-metadata.json"))["@graph"]}


def each(value):
    """A property's values, however many."""
    return value if isinstance(value, list) else [] if value is None else [value]


def tool(name):
    """Path of a program that the pinned environment cannot hold; skips where it is not installed."""
    for folder in (Path(sys.executable).parent, ROOT / "build/validator/bin"):
        if (folder / name).exists():
            return folder / name
    if found := shutil.which(name):
        return Path(found)
    return pytest.skip(f"{name} is not installed: `make validator` installs it into build/validator")
