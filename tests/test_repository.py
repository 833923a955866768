"""What git tracks and what it does not; what a newcomer finds at the top."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TRACKED = [
    "experiment_results/t5_experiments/seed_42/metadata.json",
    "experiment_results/t5_experiments/seed_42/hotflip_examples.csv",
    "experiment_results/t5_experiments/seed_42/experiment_log.txt",
    "experiment_results/t5_experiments/aggregated/paper_ready_tables.tex",
    "experiment_results/experiment_index.json",
    "paper_evidence/table_1_training_dynamics.json",
    "paper_evidence/table_1_training_dynamics.tex",
    "paper_evidence/numbers.tex",
    "paper_evidence/provenance.json",
    "stages/dvc.lock",
    "metrics.json",
    "curves/train.csv",
]
IGNORED = [
    "runs/t5_experiments/seed_42/baseline/checkpoint/model.safetensors",
    "runs/t5_experiments/corpus/data/train.jsonl",
    "model.pt",
    "model.pth",
    "some/where/model.ckpt",
    "some/where/pytorch_model.bin",
    "some/checkpoints/config.json",
    "logs/job.out",
    "job.err",
    "slurm-1.out",
    "build/paper/paper.pdf",
    "paper_evidence/paper.pdf",
    "paper_evidence/paper.aux",
    ".venv/bin/python",
    "mono_s2s/__pycache__/files.cpython-311.pyc",
    ".dvc/cache/files/md5/00/00",
]


def ignored(path: str) -> bool:
    done = subprocess.run(["git", "check-ignore", "-q", "--no-index", path], cwd=ROOT, check=False)
    assert done.returncode in (0, 1)
    return done.returncode == 0


@pytest.mark.parametrize("path", TRACKED)
def test_tracked(path):
    assert not ignored(path)


@pytest.mark.parametrize("path", IGNORED)
def test_ignored(path):
    assert ignored(path)


def test_results_keep_their_line_ends():
    text = subprocess.run(
        ["git", "check-attr", "eol", "--", *TRACKED[:2]], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert text.count("eol: lf") == 2


def test_analytics_are_off():
    assert "analytics = false" in (ROOT / ".dvc/config").read_text()


def test_lock_names_a_version_for_everything():
    for name in ("requirements.lock", "requirements-test.lock"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
        assert lines
        assert all(line.count("==") == 1 and "+" not in line for line in lines)
