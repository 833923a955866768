"""Stage index as DVC runs it."""

import studies

COMMAND = "-m stages.index"


def test_lists_the_same_bytes_again(study):
    before = studies.snapshot(study / "experiment_results")
    (study / "experiment_results/experiment_index.json").unlink()
    (study / "experiment_results/RESULTS_README.md").unlink()
    assert studies.run(study, COMMAND) == ""
    assert studies.snapshot(study / "experiment_results") == before


def test_refuses_a_run_that_is_not_there(study):
    (study / "experiment_results/t5_experiments/seed_8888/final_results.json").unlink()
    assert studies.refused(study, COMMAND) == (
        "error: experiment_results/t5_experiments/seed_8888/final_results.json: missing"
    )
