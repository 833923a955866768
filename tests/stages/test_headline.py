"""The selected run's headline lies at fixed paths."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mono_s2s import files
from stages import headline

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    {"arm": "baseline", "step": 0, "epoch": 0, "split": "validation", "nll_per_token": 4.5},
    {"arm": "baseline", "step": 10, "epoch": 1, "split": "train", "nll_per_token": 2.0},
    {"arm": "baseline", "step": 10, "epoch": 1, "split": "validation", "nll_per_token": 2.25},
    {"arm": "monotonic", "step": 0, "epoch": 0, "split": "validation", "nll_per_token": 8.5},
    {"arm": "monotonic", "step": 20, "epoch": 1, "split": "train", "nll_per_token": 3.0},
]


@pytest.fixture
def run(tmp_path):
    metrics = {name: {"baseline": 0.5, "monotonic": 0.25} for name in headline.COLUMNS.values()}
    folder = tmp_path / "experiment_results/t5_experiments/seed_7"
    files.write_json(folder / "final_results.json", {"metrics": metrics})
    files.write_csv(folder / "training_curves.csv", tuple(ROWS[0]), ROWS)

    def run(seed: int) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "stages.headline", "--study", "t5_experiments", "--seed", str(seed)]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
        )

    return run


def test_metrics_and_curves(run, tmp_path):
    assert run(7).returncode == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["monotonic"] == dict.fromkeys(headline.COLUMNS, 0.25)
    assert metrics["baseline"] == dict.fromkeys(headline.COLUMNS, 0.5)
    assert (tmp_path / "curves/train.csv").read_text() == "step,baseline,monotonic\n10,2.0,\n20,,3.0\n"
    assert (tmp_path / "curves/validation.csv").read_text() == "step,baseline,monotonic\n0,4.5,8.5\n10,2.25,\n"


def test_a_run_that_is_not_there(run):
    done = run(8)
    assert done.returncode == 1
    assert done.stderr == "error: experiment_results/t5_experiments/seed_8/final_results.json: missing\n"
