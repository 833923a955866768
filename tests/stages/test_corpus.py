"""Stage corpus leaves a whole corpus folder and a record, or one line of error and no half of either."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mono_s2s import files
from mono_s2s.corpus import reading
from mono_s2s.evidence import schemas

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("runs/t5_experiments/corpus")


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the stage needs, and nothing else."""
    skipped = shutil.ignore_patterns("__pycache__", "evidence", "attacks", "models", "evaluation")
    for folder in ("mono_s2s", "stages", "scales", "data/toy"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=skipped)
    shutil.copyfile(ROOT / "requirements.lock", tmp_path / "requirements.lock")
    files.write_text(tmp_path / "runs/t5_experiments/check.txt", "well-formed\n")
    return tmp_path


def run(
    checkout: Path, scale: str = "toy", study: str = "t5_experiments", **environment: str
) -> subprocess.CompletedProcess:
    # The copy's modules, not those of the checkout that an editable install points to.
    return subprocess.run(
        [sys.executable, "-m", "stages.corpus", "--study", study, "--scale", scale],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_runs_give_the_same_bytes_whatever_the_environment(checkout):
    done = run(checkout)
    assert done.returncode == 0, done.stderr
    first = contents(checkout / FOLDER)
    assert run(checkout, PYTHONHASHSEED="7", TOKENIZERS_PARALLELISM="false", LC_ALL="C").returncode == 0
    second = contents(checkout / FOLDER)
    # Times and the like stand in the record alone.
    first.pop("record.json")
    second.pop("record.json")
    assert first == second
    assert done.stderr == ""


def test_statistics_and_splits_can_be_read(checkout):
    assert run(checkout).returncode == 0
    facts = schemas.read(checkout / FOLDER / "data_statistics.json")
    assert (facts.study, facts.scale, facts.source) == ("t5_experiments", "toy", "generated")
    data = checkout / FOLDER / "data"
    assert facts.data_digest == reading.read_encoding(data).data_digest
    for name, split in facts.splits.items():
        assert len(reading.read_split(data, name)) == split.examples
    assert [f"test_{name}" for name in reading.test_sets(data)] == [name for name in facts.splits if "test" in name]


def test_text_for_the_decoder_only_study_goes_through_the_same_stage(checkout):
    study = "foundation_llm_experiments"
    files.write_text(checkout / f"runs/{study}/check.txt", "well-formed\n")
    folder = checkout / f"runs/{study}/corpus"
    done = run(checkout, study=study)
    assert (done.returncode, done.stderr) == (0, "")
    first = contents(folder)
    assert run(checkout, study=study, PYTHONHASHSEED="7", LC_ALL="C").returncode == 0
    second = contents(folder)
    first.pop("record.json")
    second.pop("record.json")
    assert first == second
    facts = schemas.read(folder / "data_statistics.json")
    assert (facts.study, facts.scale, facts.source) == (study, "toy", "generated")
    assert facts.data_digest == reading.read_encoding(folder / "data").data_digest
    for name, split in facts.splits.items():
        assert len(reading.read_split(folder / "data", name)) == split.examples
    record = json.loads((folder / "record.json").read_text())
    assert record["identity"] == {"study": study}
    assert "mono_s2s/corpus/text_building.py" in record["code"]
    # The other study's corpus is another folder.
    assert not (checkout / FOLDER).exists()


def test_the_record_says_what_went_in_and_what_came_out(checkout):
    assert run(checkout).returncode == 0
    record = json.loads((checkout / FOLDER / "record.json").read_text())
    assert record["stage"] == "corpus"
    assert record["identity"] == {"study": "t5_experiments"}
    assert sorted(record["inputs"]) == ["data/toy", "requirements.lock", "runs/t5_experiments/check.txt"]
    assert record["outputs"] == {
        (FOLDER / name).as_posix(): files.md5(checkout / FOLDER / name) for name in ("data", "data_statistics.json")
    }
    assert list(record["params"]["scales/toy.yaml"]) == ["t5_experiments.corpus"]
    # Neither torch nor the evidence wing has a part in making texts.
    assert not [name for name in record["code"] if "evidence" in name or "models" in name or "params.py" in name]
    assert "mono_s2s/corpus/generated.py" in record["code"]


def test_a_test_set_that_is_no_longer_asked_for_does_not_stay(checkout):
    assert run(checkout).returncode == 0
    scale = checkout / "scales/toy.yaml"
    scale.write_text(scale.read_text().replace("test: {news: 12, dialogue: 12}", "test: {news: 12}"))
    assert run(checkout).returncode == 0
    assert reading.test_sets(checkout / FOLDER / "data") == ["news"]


def test_bad_parameters_end_in_one_line_and_leave_no_record(checkout):
    scale = checkout / "scales/toy.yaml"
    scale.write_text(scale.read_text().replace("record: 0.65", "poem: 0.65"))
    done = run(checkout)
    assert done.returncode == 1
    assert done.stderr == (
        "error: scales/toy.yaml: t5_experiments.corpus: corpus.pretraining.mix.poem: no task of a generated source "
        "(tasks: headline, record, span)\n"
    )
    assert not (checkout / FOLDER).exists()


def test_a_missing_data_folder_is_named(checkout):
    shutil.rmtree(checkout / "data/toy")
    done = run(checkout)
    assert done.returncode == 1
    assert done.stderr == "error: data/toy: missing, corpus needs it: run `dvc repro` (or `dvc pull`) first\n"


def test_an_unknown_scale_is_named(checkout):
    done = run(checkout, "huge")
    assert done.returncode == 1
    assert "'huge' is not one of" in done.stderr
