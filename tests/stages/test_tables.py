"""Stage tables as DVC runs it."""

import studies

COMMAND = "-m stages.tables"


def test_renders_the_same_bytes_again(study):
    before = studies.snapshot(study / "paper_evidence")
    for path in (study / "paper_evidence").glob("table_*"):
        path.unlink()
    assert studies.run(study, COMMAND) == ""
    assert studies.snapshot(study / "paper_evidence") == before


def test_follows_the_results(study):
    def edit(content):
        content["metrics"]["train.validation_nll_per_token"]["difference"]["mean"] = -0.0004

    studies.change(study / "experiment_results/t5_experiments/aggregated/all_seeds_summary.json", edit)
    studies.run(study, COMMAND)
    # Rounded to nothing, it is not a negative nothing.
    assert (
        r"validation_nll_per_token.difference}{$0.000$}"
        in (study / "paper_evidence/table_3_multiseed_training.tex").read_text()
    )


def test_refuses_a_missing_source(study):
    (study / "experiment_results/t5_experiments/aggregated/statistical_tests.json").unlink()
    assert studies.refused(study, COMMAND) == (
        "error: experiment_results/t5_experiments/aggregated/statistical_tests.json: missing"
    )
