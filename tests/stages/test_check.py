"""Bad parameters stop before anything runs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "scales", tmp_path / "scales")
    return tmp_path


def check(folder: Path, scale: str = "demo") -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "stages.check", "--study", "t5_experiments", "--scale", scale]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )


def test_good_parameters_leave_words_that_never_change(folder):
    assert check(folder).returncode == 0
    first = (folder / "runs/t5_experiments/check.txt").read_bytes()
    (folder / "params.yaml").write_text((folder / "params.yaml").read_text().replace("seed: 42", "seed: 43"))
    assert check(folder).returncode == 0
    assert (folder / "runs/t5_experiments/check.txt").read_bytes() == first


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        (
            "params.yaml",
            "seed: 42",
            "seed: abc",
            "params.yaml: seed: Input should be a valid integer, not 'abc'\n",
        ),
        (
            "scales/demo.yaml",
            "flips: 5",
            "flip: 5",
            "scales/demo.yaml: t5_experiments.hotflip.flips: Field required",
        ),
    ],
)
def test_bad_parameters_end_it_with_one_line(folder, file, old, new, line):
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    done = check(folder)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {line}")
    assert done.stderr.count("\n") == 1
    assert not (folder / "runs").exists()


def test_an_unknown_scale(folder):
    done = check(folder, "big")
    assert done.returncode == 1
    assert done.stderr.startswith("error: scale: 'big' is not one of demo")
