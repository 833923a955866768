"""A small checkout of this project in a folder of its own, where stages run as DVC runs them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import learnable
import numpy as np
import standin
import yaml

from mono_s2s import files

ROOT = Path(__file__).resolve().parents[1]
STUDY = "t5_experiments"
TEXT_STUDY = "foundation_llm_experiments"


class Workspace:
    """The folder, and stages run in it."""

    def __init__(self, path: Path, study: str = STUDY) -> None:
        self.path, self.study = path, study
        self.runs = path / "runs" / study

    def start(self, stage: str, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen:
        command = [sys.executable, "-m", f"stages.{stage}", "--study", self.study, "--scale", "small", *arguments]
        environment = {**(environment or os.environ), "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        return subprocess.Popen(
            command, cwd=self.path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, stage: str, *arguments: str, code: int = 0, environment: dict[str, str] | None = None) -> str:
        """Run a stage that ends with `code`; what it says on standard error."""
        process = self.start(stage, *arguments, environment=environment)
        _, said = process.communicate()
        assert process.returncode == code, said
        return said

    def scale(self, change=lambda study: None) -> None:
        """Write scales/small.yaml; `change` may alter the study first."""
        content = yaml.safe_load((ROOT / "scales/toy.yaml").read_text())
        study = content[self.study]
        study["standard"] |= {"width": 16, "heads": 2} | ({"head_width": 4} if self.study == STUDY else {})
        study["train"]["optimization"] |= {"epochs": 2, "batch_size": 4, "dropout": 0.1, "learning_rate": 0.01}
        change(study)
        (self.path / "scales/small.yaml").write_text(yaml.safe_dump(content))

    def contents(self, folder: str, *names: str) -> dict[str, bytes]:
        """Bytes of all files under the named parts of a folder of runs/<study>."""
        found = {}
        for name in names:
            place = self.runs / folder / name
            for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
                if path.is_file():
                    found[path.relative_to(self.runs / folder).as_posix()] = path.read_bytes()
        return found


def rows(pairs, source):
    names = (*standin.SPECIAL, *standin.WORDS)
    for number, pair in enumerate(pairs):
        document = list(pair.input_ids[2:-1])
        yield {
            "example_id": f"{source}-{number}",
            "source": source,
            "document": " ".join(names[token] for token in document),
            "references": [" ".join(names[token] for token in pair.target_ids[:-1])],
            "document_ids": document,
            "reference_ids": [list(pair.target_ids)],
        }


def block_rows(blocks, source):
    for number, pair in enumerate(blocks):
        yield {
            "example_id": f"{source}-{number}",
            "source": source,
            "document": "",
            "references": [standin.text(pair.target_ids)],
            "document_ids": [],
            "reference_ids": [list(pair.target_ids)],
        }


def made(path: Path, study: str = STUDY) -> Workspace:
    """A workspace with the code of this checkout and a hand-made corpus."""
    for name in ("mono_s2s", "stages"):
        shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (path / "scales").mkdir()
    shutil.copy(ROOT / "requirements.lock", path)
    workspace = Workspace(path, study)
    workspace.scale()
    data = workspace.runs / "corpus/data"
    learnable.encoding(data, "t5" if study == STUDY else "gpt_neox")
    make, as_rows = (learnable.pairs, rows) if study == STUDY else (learnable.blocks, block_rows)
    files.write_jsonl(data / "train.jsonl", as_rows(make(60), "train"))
    files.write_jsonl(data / "validation.jsonl", as_rows(make(8, seed=1), "validation"))
    pretraining = [
        {"task": "repeat", "input_ids": list(pair.input_ids), "target_ids": list(pair.target_ids)}
        for pair in make(100, seed=2)
    ]
    files.write_jsonl(data / "pretraining.jsonl", pretraining)
    return workspace


def read(path: Path):
    return json.loads(path.read_text())


def random_step(first: int, last: int) -> int:
    return int(np.random.default_rng().integers(first, last))
