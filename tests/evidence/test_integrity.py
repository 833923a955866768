"""Each way in which lock, records and checkout can part, and the line that says so."""

import re
import shutil
from pathlib import Path

import made_up
import pytest
import studies
from studies import append, commit, edit_lock, refile

from mono_s2s import files, params, paths
from mono_s2s.evidence import integrity
from mono_s2s.files import BadInput

LOCK = Path("stages/dvc.lock")
RESULTS = Path("experiment_results") / studies.STUDY
HOTFLIP = "hotflip@t5_experiments-2024"


def verify():
    integrity.verify(studies.STUDY, params.load_params())


def refusal():
    with pytest.raises(BadInput) as caught:
        verify()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_untouched_evidence_is_sound(study):
    verify()


def test_it_needs_no_checkpoints(study):
    shutil.rmtree("runs")
    verify()


def test_an_edited_result(study):
    path = RESULTS / "seed_2024/hotflip_results.json"
    recorded = files.md5(path)
    studies.change(path, lambda content: content["attack"].update(name="other"))
    assert refusal() == (
        f"experiment_results/t5_experiments/seed_2024/hotflip_results.json: edited after stage collect wrote it "
        f"(md5 {files.md5(path)}, dvc.lock says {recorded}): run `dvc repro`"
    )


def test_an_edited_result_that_dvc_was_told_to_believe(study):
    studies.change(RESULTS / "seed_2024/hotflip_results.json", lambda content: content["attack"].update(name="other"))
    commit()
    assert refusal() == (
        "experiment_results/t5_experiments/seed_2024/hotflip_results.json: not what stage hotflip of seed 2024 wrote: "
        "run `dvc repro`"
    )


def test_edited_final_results_that_dvc_was_told_to_believe(study):
    def edit(content):
        content["metrics"]["evaluate.rougeL"]["monotonic"] = 0.99

    studies.change(RESULTS / "seed_42/final_results.json", edit)
    commit()
    assert refusal() == (
        "experiment_results/t5_experiments/seed_42/final_results.json: does not follow from the results beside it: "
        "run `dvc repro`"
    )


def test_nan_in_a_result(study):
    path = RESULTS / "seed_2024/hotflip_results.json"
    path.write_text(path.read_text().replace('"n": 6', '"n": NaN'))
    commit()
    assert refusal().startswith("experiment_results/t5_experiments/seed_2024/hotflip_results.json: not valid JSON (NaN")


def test_a_missing_metric(study):
    studies.change(RESULTS / "seed_2024/evaluation_results.json", lambda content: content.pop("datasets"))
    commit()
    assert refusal() == (
        "experiment_results/t5_experiments/seed_2024/evaluation_results.json: datasets: Field required"
    )


def test_a_missing_file(study):
    (RESULTS / "seed_8888/uat_examples.csv").unlink()
    assert refusal() == (
        "experiment_results/t5_experiments/seed_8888/uat_examples.csv: missing, stage collect wrote it: run `dvc repro`"
    )


def test_a_seed_that_never_ran(study):
    edit_lock(lambda stages: stages.pop("collect@t5_experiments-8888"))
    assert refusal() == "seed 8888: stages/dvc.lock has no stage collect@t5_experiments-8888: run `dvc repro`"


def test_a_stage_that_the_lock_lost(study):
    edit_lock(lambda stages: stages.pop(HOTFLIP))
    assert refusal().startswith(f"seed 2024: stages/dvc.lock has no stage {HOTFLIP}: run `dvc repro`")


def test_edited_code(study):
    append("stages/hotflip.py", "\n# an edit\n")
    assert refusal() == ("stages/hotflip.py: not what stage hotflip of seed 42 ran: run `dvc repro` (and 4 more)")


def test_edited_code_that_dvc_was_told_to_believe(study):
    append("stages/hotflip.py", "\n# an edit\n")
    commit()
    assert refusal() == (
        "stages/hotflip.py: not what stage hotflip of seed 42 ran, though dvc.lock claims that it ran with the edit: "
        "run `dvc repro -f -s stages/dvc.yaml:hotflip@t5_experiments-42`, then `dvc repro` (and 4 more)"
    )


def test_code_that_the_lock_has_otherwise(study):
    def edit(stages):
        for item in stages[HOTFLIP]["deps"]:
            if item["path"] == "stages/hotflip.py":
                item["md5"] = "0" * 32

    edit_lock(edit)
    assert refusal() == (
        "stages/hotflip.py: stage hotflip of seed 2024 ran another version than dvc.lock says: run `dvc repro -f -s "
        "stages/dvc.yaml:hotflip@t5_experiments-2024`, then `dvc repro`"
    )


def test_an_undeclared_import(study):
    files.write_text(Path("mono_s2s/attacks/extra.py"), '"""Extra."""\n')
    record = paths.seed(studies.STUDY, 2024) / "hotflip/record.json"
    extra = {"mono_s2s/attacks/extra.py": files.md5(Path("mono_s2s/attacks/extra.py"))}
    refile(2024, lambda run: studies.change(record, lambda content: content["code"].update(extra)))

    def forget(stages):
        stages[HOTFLIP]["deps"] = [item for item in stages[HOTFLIP]["deps"] if "extra" not in item["path"]]

    edit_lock(forget)
    assert refusal() == (
        "mono_s2s/attacks/extra.py: loaded by stage hotflip of seed 2024, but stages/dvc.yaml does not declare it: "
        "run `make deps`, then `dvc repro`"
    )


def test_edited_code_of_collect(study):
    append("stages/collect.py", "\n# an edit\n")
    assert refusal() == "stages/collect.py: edited since stage collect of seed 42 ran: run `dvc repro` (and 4 more)"


def test_edited_parameters(study):
    text = Path("scales/demo.yaml").read_text()
    Path("scales/demo.yaml").write_text(text.replace("flips: 5", "flips: 6"))
    assert refusal().startswith(
        "scales/demo.yaml: t5_experiments.hotflip: stage hotflip of seed 42 ran with another value than stands there "
        "now: run `dvc repro` (and "
    )


def test_edited_parameters_that_dvc_was_told_to_believe(study):
    text = Path("scales/demo.yaml").read_text()
    Path("scales/demo.yaml").write_text(text.replace("flips: 5", "flips: 6"))
    commit()
    assert refusal().startswith("scales/demo.yaml: t5_experiments.hotflip: stage hotflip of seed 42 ran with another")


def test_one_seed_at_another_learning_rate(study):
    def edit(run):
        for arm in ("baseline", "monotonic"):
            studies.change(
                run / arm / "record.json",
                lambda record: record["params"]["scales/demo.yaml"]["t5_experiments.train"]["optimization"].update(
                    learning_rate=0.1
                ),
            )

    path = Path("scales/demo.yaml")
    text = path.read_text()
    where = text.index("  train:\n    optimization:")
    path.write_text(text[:where] + text[where:].replace("learning_rate: 0.003", "learning_rate: 0.1"))
    edit(paths.seed(studies.STUDY, 2024))
    studies.collect(Path(), 2024)
    studies.lock(Path())
    path.write_text(text)
    edit_lock(
        lambda stages: [
            stage["params"].update({"scales/demo.yaml": {studies.STUDY: studies.section(Path())}})
            for name, stage in stages.items()
            if name.startswith("collect@") and "2024" not in name
        ]
    )
    assert refusal().startswith(
        "scales/demo.yaml: t5_experiments.train: stage train.baseline of seed 2024 ran with another value than stands "
        "there now: run `dvc repro`"
    )


def test_another_scale(study):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("scale: demo", "scale: toy"))
    assert refusal().startswith(
        "scales/demo.yaml: stage corpus of seed 42 ran at this scale, params.yaml says toy (scales/toy.yaml): run"
    )


def test_undeclared_parameters(study):
    def edit(stages):
        del stages[HOTFLIP]["params"]["scales/demo.yaml"]["t5_experiments.compute"]

    edit_lock(edit)
    assert refusal() == (
        "seed 2024, stage hotflip: recorded parameters t5_experiments.compute, t5_experiments.evaluate.decoding, "
        "t5_experiments.hotflip, dvc.lock has t5_experiments.evaluate.decoding, t5_experiments.hotflip: let "
        "stages/dvc.yaml and the stage name the same ones"
    )


def test_edited_data(study):
    append("data/demo/README.md", "An edit.\n")
    assert refusal() == "data/demo: edited since stage corpus of seed 42 ran: run `dvc repro`"


def test_another_environment(study):
    append("requirements.lock", "torch==1.0\n")
    assert refusal().startswith("requirements.lock: edited since stage corpus of seed 42 ran: run `dvc repro` (and ")


def test_a_checkpoint_that_was_swapped_before_the_attack(study):
    name = "runs/t5_experiments/seed_2024/baseline/checkpoint"

    def edit(stages):
        for item in stages["train@t5_experiments-2024-baseline"]["outs"]:
            if item["path"] == name:
                item["md5"] = "0" * 32 + ".dir"

    edit_lock(edit)
    assert refusal().startswith(
        f"{name}: stage evaluate of seed 2024 read another version than train@t5_experiments-2024-baseline wrote: run"
    )


def test_an_input_that_the_process_did_not_read(study):
    name = "runs/t5_experiments/seed_2024/baseline/checkpoint"
    record = paths.seed(studies.STUDY, 2024) / "hotflip/record.json"
    text = record.read_text()
    refile(2024, lambda run: studies.change(record, lambda found: found["inputs"].update({name: "1" * 32 + ".dir"})))
    assert "1" * 32 not in text
    assert refusal() == (
        f"{name}: stage hotflip of seed 2024 read another version than dvc.lock says: run `dvc repro -f -s "
        "stages/dvc.yaml:hotflip@t5_experiments-2024`, then `dvc repro`"
    )


def test_an_undeclared_input(study):
    def edit(stages):
        stages[HOTFLIP]["deps"] = [item for item in stages[HOTFLIP]["deps"] if item["path"] != "requirements.lock"]

    edit_lock(edit)
    assert refusal() == (
        "requirements.lock: stage hotflip of seed 2024 read it, but stages/dvc.yaml does not declare it: declare it, "
        "then `dvc repro`"
    )


def test_an_output_that_the_process_did_not_write(study):
    name = "runs/t5_experiments/seed_2024/hotflip/examples.csv"

    def edit(stages):
        for stage in (HOTFLIP, "collect@t5_experiments-2024"):
            for item in (*stages[stage]["outs"], *stages[stage]["deps"]):
                if item["path"] == name:
                    item["md5"] = "0" * 32

    edit_lock(edit)
    assert re.match(
        rf"{name}: stage hotflip of seed 2024 recorded md5 [0-9a-f]{{32}}, dvc\.lock has 0{{32}}: run `dvc repro -f -s",
        refusal(),
    )


def test_another_command(study):
    edit_lock(lambda stages: stages[HOTFLIP].update(cmd=stages[HOTFLIP]["cmd"] + " --quick"))
    assert refusal() == (
        "seed 2024, stage hotflip: its process was started as `-m stages.hotflip --study t5_experiments --scale demo "
        "--seed 2024`, dvc.lock says `-m stages.hotflip --study t5_experiments --scale demo --seed 2024 --quick`: "
        "run `dvc repro -f -s stages/dvc.yaml:hotflip@t5_experiments-2024`, then `dvc repro`"
    )


def test_whatever_python_is_called(study):
    edit_lock(lambda stages: stages[HOTFLIP].update(cmd=stages[HOTFLIP]["cmd"].replace("python ", "python3 ")))
    verify()


def test_an_edited_record(study):
    def edit(content):
        content["stages"]["hotflip"]["code"]["stages/hotflip.py"] = files.md5(Path("stages/hotflip.py"))
        content["stages"]["hotflip"]["seconds"] = 1.0

    studies.change(RESULTS / "seed_2024/metadata.json", edit)
    commit()
    assert refusal().startswith(
        "experiment_results/t5_experiments/seed_2024/metadata.json: stages.hotflip: not the record that "
        "hotflip@t5_experiments-2024 wrote (dvc.lock: "
    )


def test_a_seed_built_on_another_corpus(study):
    record = paths.corpus(studies.STUDY) / "record.json"
    text = record.read_text()
    refile(2024, lambda run: studies.change(record, lambda content: content.update(seconds=1.0)))
    record.write_text(text)
    studies.lock(Path())
    assert refusal().startswith(
        "experiment_results/t5_experiments/seed_2024/metadata.json: stages.corpus: seed 2024 was built on another run "
        "of stage corpus than experiment_results/t5_experiments/seed_42: run `dvc repro`"
    )


def test_a_copied_seed_folder(study):
    shutil.rmtree(RESULTS / "seed_1337")
    shutil.copytree(RESULTS / "seed_42", RESULTS / "seed_1337")
    assert refusal().startswith(
        "experiment_results/t5_experiments/seed_1337/baseline_training.json: edited after stage collect wrote it (md5 "
    )


def test_a_copied_seed_folder_that_dvc_was_told_to_believe(study):
    shutil.rmtree(RESULTS / "seed_1337")
    shutil.copytree(RESULTS / "seed_42", RESULTS / "seed_1337")
    commit()
    assert refusal() == (
        "experiment_results/t5_experiments/seed_1337/baseline_training.json: seed is 42, not 1337: it belongs to "
        "another run: run `dvc repro`"
    )


def test_two_seeds_that_are_one_run(study):
    refile(1337, studies.copied_run)
    assert refusal().startswith(
        "experiment_results/t5_experiments/seed_1337/baseline_training.json and "
        "experiment_results/t5_experiments/seed_42/baseline_training.json have the same checkpoint: they are one run"
    )


def test_two_seeds_with_the_same_outputs(study):
    """Other weights are claimed, but each example came out the same."""

    refile(1337, studies.renamed_checkpoints)
    assert refusal().startswith(
        "experiment_results/t5_experiments/seed_1337/evaluation_examples.csv and "
        "experiment_results/t5_experiments/seed_42/evaluation_examples.csv have the same outputs of baseline: they are"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (made_up.DATA, "0" * 64, "experiment_results/t5_experiments/seed_2024: trained on other data than "),
        (made_up.sha("standard"), "0" * 64, "experiment_results/t5_experiments/seed_2024: its standard model is not "),
    ],
)
def test_a_seed_on_other_ground(study, old, new, message):
    def edit(run):
        for path in (*run.rglob("results.json"), paths.corpus(studies.STUDY) / "data_statistics.json"):
            path.write_text(path.read_text().replace(old, new))
        for path in (*run.rglob("record.json"), paths.corpus(studies.STUDY) / "record.json"):
            studies.change(
                path, lambda record: record.update(outputs={n: files.md5(Path(n)) for n in record["outputs"]})
            )

    refile(2024, edit)
    evidence = integrity.gather(studies.STUDY, params.load_params())
    assert [line for line in integrity.identities(evidence) if line.startswith(message)]


def test_a_seed_on_other_examples(study):
    def edit(run):
        path = run / "hotflip/examples.csv"
        path.write_text(path.read_text().replace("attack-", "other-"))
        studies.change(
            run / "hotflip/record.json",
            lambda record: record.update(outputs={n: files.md5(Path(n)) for n in record["outputs"]}),
        )

    refile(2024, edit)
    assert refusal() == (
        "experiment_results/t5_experiments/seed_2024/hotflip_examples.csv: other examples, or in another order, than "
        "experiment_results/t5_experiments/seed_42: run `dvc repro`"
    )


def test_no_results_at_all(study):
    shutil.rmtree(RESULTS / "seed_8888")
    assert "seed_8888" in refusal()
    LOCK.unlink()
    assert refusal() == "stages/dvc.lock: missing: run `dvc repro`"


def other_record(_):
    studies.change(RESULTS / "seed_2024/metadata.json", lambda found: found["stages"]["hotflip"].update(seconds=1.0))
    commit()


def other_command(_):
    edit_lock(lambda stages: stages[HOTFLIP].update(cmd=stages[HOTFLIP]["cmd"] + " --quick"))


def other_code(_):
    append("stages/hotflip.py", "\n# an edit\n")


def other_parameters(_):
    edit_lock(lambda stages: stages[HOTFLIP]["params"]["scales/demo.yaml"].pop("t5_experiments.compute"))


def other_inputs(_):
    append("data/demo/README.md", "An edit.\n")


def other_outputs(_):
    studies.change(RESULTS / "seed_42/final_results.json", lambda found: found["metrics"].pop("evaluate.rougeL"))
    commit()


def other_examples(_):
    test_a_seed_on_other_examples(_)


@pytest.mark.parametrize(
    ("check", "attempt"),
    [
        (integrity.recorded, other_record),
        (integrity.commands, other_command),
        (integrity.code, other_code),
        (integrity.parameters, other_parameters),
        (integrity.inputs, other_inputs),
        (integrity.outputs, other_outputs),
        (integrity.identities, other_examples),
    ],
    ids=lambda value: value.__name__,
)
def test_every_check_bites(study, monkeypatch, check, attempt):
    """Without the check, the attempt passes: no other check would have stopped it."""
    attempt(study)
    refusal()
    monkeypatch.setattr(integrity, "CHECKS", tuple(other for other in integrity.CHECKS if other is not check))
    verify()


def test_no_check_is_left_out_above(study):
    names = {"recorded", "commands", "code", "parameters", "inputs", "outputs", "identities"}
    assert {check.__name__ for check in integrity.CHECKS} == names
