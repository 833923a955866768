"""Bad parameters stop before anything runs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mono_s2s.scale import STUDIES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "scales", tmp_path / "scales")
    return tmp_path


def check(folder: Path, scale: str = "demo", study: str = "t5_experiments") -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "stages.check", "--study", study, "--scale", scale]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )


@pytest.mark.parametrize("study", STUDIES)
def test_good_parameters_leave_words_that_never_change(folder, study):
    assert check(folder, study=study).returncode == 0
    first = (folder / f"runs/{study}/check.txt").read_bytes()
    (folder / "params.yaml").write_text((folder / "params.yaml").read_text().replace("seed: 42", "seed: 43"))
    assert check(folder, study=study).returncode == 0
    assert (folder / f"runs/{study}/check.txt").read_bytes() == first


def test_a_scale_without_the_study(folder):
    path = folder / "scales/demo.yaml"
    path.write_text(path.read_text().split("foundation_llm_experiments:")[0])
    done = check(folder, study="foundation_llm_experiments")
    assert done.returncode == 1
    assert done.stderr.startswith("error: scale: it has no section foundation_llm_experiments: ")
    assert check(folder).returncode == 0


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
            "params.yaml",
            "- evaluate.nll_per_token\n      - hotflip.delta_nll",
            "- evaluate.rougeL\n      - hotflip.delta_nll",
            "params.yaml: statistics.families.foundation_llm_experiments.primary.0: 'evaluate.rougeL' is not one of ",
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
