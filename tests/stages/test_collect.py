"""Stage collect as DVC runs it."""

import shutil

import pytest
import studies

COMMAND = f"-m stages.collect --study {studies.STUDY} --scale demo --seed 2024"


@pytest.mark.parametrize("name", studies.STUDIES)
def test_files_the_run_again_after_its_folder_is_gone(study, name):
    folder = study / "experiment_results" / name / "seed_2024"
    before = studies.snapshot(folder)
    shutil.rmtree(folder)
    assert studies.run(study, COMMAND.replace(studies.STUDY, name)) == ""
    assert studies.snapshot(folder) == before


def test_refuses_with_one_line_and_files_nothing(study):
    folder = study / "experiment_results" / studies.STUDY / "seed_2024"
    shutil.rmtree(folder)
    path = study / "runs" / studies.STUDY / "seed_2024/hotflip/examples.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-3]) + "\n")
    assert studies.refused(study, COMMAND) == (
        "error: seed 2024: runs/t5_experiments/seed_2024/hotflip/examples.csv: edited after stage hotflip wrote it: "
        "run `dvc repro`"
    )
    assert not folder.exists()


def test_needs_every_stage(study):
    shutil.rmtree(study / "runs" / studies.STUDY / "seed_2024/uat")
    assert studies.refused(study, COMMAND) == (
        "error: seed 2024: runs/t5_experiments/seed_2024/uat/results.json: missing"
    )
