"""Stage aggregate as DVC runs it: it adds up what agrees, and refuses the rest with one line."""

import shutil

import pytest
import studies

COMMAND = f"-m stages.aggregate --study {studies.STUDY}"


@pytest.mark.parametrize("name", studies.STUDIES)
def test_adds_up_what_agrees(study, name):
    folder = study / "experiment_results" / name / "aggregated"
    before = studies.snapshot(folder)
    (folder / "all_seeds_summary.json").unlink()
    (folder / "statistical_tests.json").unlink()
    assert studies.run(study, f"-m stages.aggregate --study {name}") == ""
    assert studies.snapshot(folder) == before


def test_needs_no_checkpoints(study):
    shutil.rmtree(study / "runs")
    assert studies.run(study, COMMAND) == ""


def test_refuses_an_edited_result(study):
    path = study / "experiment_results" / studies.STUDY / "seed_1337/uat_results.json"
    path.write_text(path.read_text().replace('"n": 6', '"n": 7', 1))
    line = studies.refused(study, COMMAND)
    assert line.startswith(
        "error: experiment_results/t5_experiments/seed_1337/uat_results.json: edited after stage collect wrote it (md5 "
    )


def test_refuses_edited_code(study):
    with (study / "stages/train.py").open("a") as file:
        file.write("\n# an edit\n")
    line = studies.refused(study, COMMAND)
    assert line == (
        "error: stages/train.py: not what stage train.baseline of seed 42 ran: run `dvc repro` (and 9 more)"
    )


def test_refuses_an_unknown_metric(study):
    path = study / "params.yaml"
    path.write_text(path.read_text().replace("- uat.delta_rougeL", "- uat.delta_rougeZ"))
    line = studies.refused(study, COMMAND)
    key = "statistics.families.t5_experiments.exploratory.3"
    assert line.startswith(f"error: params.yaml: {key}: 'uat.delta_rougeZ' is not one of ")


def test_refuses_a_missing_seed(study):
    shutil.rmtree(study / "experiment_results" / studies.STUDY / "seed_12345")
    line = studies.refused(study, COMMAND)
    assert "experiment_results/t5_experiments/seed_12345/" in line
    assert "missing" in line
