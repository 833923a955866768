"""The selected run's headline lies at fixed paths."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mono_s2s import files
from mono_s2s.evidence import metrics
from mono_s2s.scale import STUDIES

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    {"arm": "baseline", "step": 0, "epoch": 0, "split": "validation", "nll_per_token": 4.5},
    {"arm": "baseline", "step": 10, "epoch": 1, "split": "train", "nll_per_token": 2.0},
    {"arm": "baseline", "step": 10, "epoch": 1, "split": "validation", "nll_per_token": 2.25},
    {"arm": "monotonic", "step": 0, "epoch": 0, "split": "validation", "nll_per_token": 8.5},
    {"arm": "monotonic", "step": 20, "epoch": 1, "split": "train", "nll_per_token": 3.0},
]


COLUMNS = {
    "t5_experiments": {"rougeL", "nll_per_token", "hotflip_delta_nll", "uat_delta_nll"},
    "foundation_llm_experiments": {"perplexity", "nll_per_token", "hotflip_delta_nll", "uat_delta_nll"},
}


@pytest.fixture
def run(tmp_path):
    for study in STUDIES:
        values = {name: {"baseline": 0.5, "monotonic": 0.25} for name in metrics.of(study)}
        folder = tmp_path / f"experiment_results/{study}/seed_7"
        files.write_json(folder / "final_results.json", {"metrics": values})
        files.write_csv(folder / "training_curves.csv", tuple(ROWS[0]), ROWS)

    def run(seed: int, study: str = "t5_experiments") -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "stages.headline", "--study", study, "--seed", str(seed)]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
        )

    return run


@pytest.mark.parametrize("study", STUDIES)
def test_metrics_and_curves(run, tmp_path, study):
    assert run(7, study).returncode == 0
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["monotonic"] == dict.fromkeys(COLUMNS[study], 0.25)
    assert found["baseline"] == dict.fromkeys(COLUMNS[study], 0.5)
    assert (tmp_path / "curves/train.csv").read_text() == "step,baseline,monotonic\n10,2.0,\n20,,3.0\n"
    assert (tmp_path / "curves/validation.csv").read_text() == "step,baseline,monotonic\n0,4.5,8.5\n10,2.25,\n"


def test_a_run_that_is_not_there(run):
    done = run(8)
    assert done.returncode == 1
    assert done.stderr == "error: experiment_results/t5_experiments/seed_8/final_results.json: missing\n"
