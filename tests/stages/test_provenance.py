"""Stage provenance as DVC runs it."""

import studies

COMMAND = "-m stages.provenance"


def test_traces_the_same_bytes_again(study):
    before = studies.snapshot(study / "paper_evidence")
    (study / "paper_evidence/provenance.json").unlink()
    (study / "paper_evidence/PAPER_EVIDENCE_README.md").unlink()
    assert studies.run(study, COMMAND) == ""
    assert studies.snapshot(study / "paper_evidence") == before


def test_refuses_a_source_that_was_edited(study):
    path = study / "experiment_results/t5_experiments/seed_42/monotonic_training.json"
    studies.change(path, lambda content: content["model"].update(name="another"))
    assert studies.refused(study, COMMAND).startswith(
        "error: experiment_results/t5_experiments/seed_42/monotonic_training.json: edited after "
        "stages/dvc.yaml:collect@t5_experiments-42 wrote it (dvc.lock says md5 "
    )
