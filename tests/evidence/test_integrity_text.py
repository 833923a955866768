"""The second study is held to the same three records as the first, file by file of its own."""

import re
import shutil
from pathlib import Path

import made_up
import pytest
import studies
from studies import commit, edit_lock, refile

from mono_s2s import files, params, paths
from mono_s2s.evidence import integrity
from mono_s2s.files import BadInput

STUDY = made_up.TEXT
RESULTS = Path("experiment_results") / STUDY
HOTFLIP = f"hotflip@{STUDY}-2024"


def verify(study=STUDY):
    integrity.verify(study, params.load_params())


def refusal():
    """The line that refuses the second study; the first, untouched, stays sound."""
    with pytest.raises(BadInput) as caught:
        verify()
    message = str(caught.value)
    assert "\n" not in message
    verify(studies.STUDY)
    return message


def test_untouched_evidence_is_sound_without_checkpoints(study):
    shutil.rmtree("runs")
    verify()


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        (
            "hotflip_results.json",
            lambda c: c["attack"].update(name="x"),
            "not what stage hotflip of seed 2024 wrote: run",
        ),
        ("uat_results.json", lambda c: c["attack"].update(name="x"), "not what stage uat of seed 2024 wrote: run"),
        (
            "evaluation_results.json",
            lambda c: c["multiple_choice"]["tasks"]["winogrande"]["models"]["baseline"].update(outcomes="1111"),
            "not what stage evaluate of seed 2024 wrote: run",
        ),
        (
            "final_results.json",
            lambda c: c["metrics"]["evaluate.perplexity"].update(monotonic=1.5),
            "does not follow from the results beside it: run",
        ),
        ("evaluation_results.json", lambda c: c.pop("datasets"), "datasets: Field required"),
        (
            "evaluation_results.json",
            lambda c: c.update(study=studies.STUDY),
            "study is t5_experiments, not foundation_",
        ),
        (
            "monotonic_training.json",
            lambda c: c["constraint"].update(share=0.9),
            "constraint.share is 0.9, but 8053063",
        ),
    ],
)
def test_an_edited_result_that_dvc_was_told_to_believe(study, file, edit, message):
    studies.change(RESULTS / "seed_2024" / file, edit)
    commit()
    assert refusal().startswith(f"{RESULTS}/seed_2024/{file}: {message}")


@pytest.mark.parametrize("name", ["evaluation", "uat", "hotflip"])
def test_edited_examples(study, name):
    path = RESULTS / f"seed_1337/{name}_examples.csv"
    studies.append(path, path.read_text().splitlines()[-1] + "\n")
    assert refusal().startswith(f"{path}: edited after stage collect wrote it (md5 ")


def test_files_of_the_first_study_under_the_second(study):
    folder = RESULTS / "seed_1337"
    shutil.rmtree(folder)
    shutil.copytree(f"experiment_results/{studies.STUDY}/seed_1337", folder)
    commit()
    assert re.match(rf"{folder}/\w+_examples\.csv: columns are dataset, example_id, model, rouge1, ", refusal())


def test_a_stage_that_the_lock_lost(study):
    edit_lock(lambda stages: stages.pop(HOTFLIP))
    assert refusal().startswith(f"seed 2024: stages/dvc.lock has no stage {HOTFLIP}: run `dvc repro`")


def test_edited_parameters_of_this_study_alone(study):
    path = Path("scales/demo.yaml")
    head, own = path.read_text().split(f"{STUDY}:")
    assert "flips: 5" in own
    path.write_text(f"{head}{STUDY}:{own.replace('flips: 5', 'flips: 6')}")
    assert refusal().startswith(
        f"scales/demo.yaml: {STUDY}.hotflip: stage hotflip of seed 42 ran with another value than stands there now: run"
    )


def test_a_checkpoint_that_was_swapped_before_the_attack(study):
    name = f"runs/{STUDY}/seed_2024/baseline/checkpoint"

    def edit(stages):
        for item in stages[f"train@{STUDY}-2024-baseline"]["outs"]:
            if item["path"] == name:
                item["md5"] = "0" * 32 + ".dir"

    edit_lock(edit)
    assert refusal().startswith(
        f"{name}: stage evaluate of seed 2024 read another version than train@{STUDY}-2024-baseline wrote: run"
    )


def test_a_copied_seed_folder_that_dvc_was_told_to_believe(study):
    shutil.rmtree(RESULTS / "seed_1337")
    shutil.copytree(RESULTS / "seed_42", RESULTS / "seed_1337")
    commit()
    assert refusal() == (
        f"{RESULTS}/seed_1337/baseline_training.json: seed is 42, not 1337: it belongs to another run: run `dvc repro`"
    )


def test_two_seeds_that_are_one_run(study):
    refile(1337, studies.copied_run, STUDY)
    assert refusal().startswith(
        f"{RESULTS}/seed_1337/baseline_training.json and {RESULTS}/seed_42/baseline_training.json have the same checkpo"
    )


def test_two_seeds_with_the_same_outputs(study):
    """Other weights are claimed, but each block came out the same."""
    refile(1337, lambda run: studies.renamed_checkpoints(run, STUDY), STUDY)
    assert refusal().startswith(
        f"{RESULTS}/seed_1337/evaluation_examples.csv and {RESULTS}/seed_42/evaluation_examples.csv have the same outp"
    )


@pytest.mark.parametrize(
    ("old", "message"),
    [
        (made_up.data_digest(STUDY), f"{RESULTS}/seed_2024: trained on other data than "),
        (made_up.checkpoint(None, "standard", STUDY), f"{RESULTS}/seed_2024: its standard model is not "),
    ],
)
def test_a_seed_on_other_ground(study, old, message):
    def edit(run):
        for path in (*run.rglob("results.json"), paths.corpus(STUDY) / "data_statistics.json"):
            path.write_text(path.read_text().replace(old, "0" * 64))
        studies.rerecord(run)
        studies.rerecord(paths.corpus(STUDY))

    refile(2024, edit, STUDY)
    evidence = integrity.gather(STUDY, params.load_params())
    assert [line for line in integrity.identities(evidence) if line.startswith(message)]


@pytest.mark.parametrize("name", ["uat", "hotflip"])
def test_a_seed_on_other_examples(study, name):
    def edit(run):
        path = run / name / "examples.csv"
        path.write_text(path.read_text().replace("attack-", "other-"))
        studies.rerecord(run / name)

    refile(2024, edit, STUDY)
    assert refusal() == (
        f"{RESULTS}/seed_2024/{name}_examples.csv: other examples, or in another order, than {RESULTS}/seed_42: run "
        "`dvc repro`"
    )


def test_an_edited_record(study):
    def edit(content):
        content["stages"]["hotflip"]["code"]["stages/hotflip.py"] = files.md5(Path("stages/hotflip.py"))
        content["stages"]["hotflip"]["seconds"] = 1.0

    studies.change(RESULTS / "seed_2024/metadata.json", edit)
    commit()
    assert refusal().startswith(
        f"{RESULTS}/seed_2024/metadata.json: stages.hotflip: not the record that {HOTFLIP} wrote (dvc.lock: "
    )
