"""A run's files are held against each other before they are filed; what is filed follows from them."""

import json
import math
import shutil
from pathlib import Path

import made_up
import pytest
import studies

from mono_s2s import files, paths, scale
from mono_s2s.evidence import collection, metadata, metrics, schemas, tasks
from mono_s2s.files import BadInput

SEED = 42
RUN = Path("runs") / studies.STUDY / "seed_42"
FILED = Path("experiment_results") / studies.STUDY / "seed_42"


TEXT_RUN = Path("runs") / made_up.TEXT / "seed_42"


def collect(seed=SEED, study=studies.STUDY):
    studies.collect(Path(), seed, study)


def filed(study):
    return Path("experiment_results") / study / "seed_42"


def change_recorded(path, edit):
    """Edit a result and the record of the stage that wrote it, as a forger would."""
    studies.change(path, edit)
    studies.change(
        path.parent / "record.json", lambda record: record["outputs"].update({path.as_posix(): files.md5(path)})
    )


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_filing_again_gives_the_same_bytes(study, name):
    before = {path.name: path.read_bytes() for path in filed(name).iterdir()}
    assert set(before) == {*collection.COPIED, *studies.DERIVED}
    collect(study=name)
    assert {path.name: path.read_bytes() for path in filed(name).iterdir()} == before


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_every_filed_json_is_typed(study, name):
    assert set(tasks.of(name).files) == {path.name for path in filed(name).glob("*.json")} - {"metadata.json"}
    for file in tasks.of(name).files:
        tasks.read(filed(name) / file, name)
    schemas.read(filed(name) / "metadata.json", metadata.Metadata)


@pytest.mark.parametrize("file", ["evaluation_results.json", "uat_results.json", "hotflip_results.json"])
def test_neither_study_takes_the_others_files(study, file):
    for own, other in (made_up.STUDIES, made_up.STUDIES[::-1]):
        with pytest.raises(BadInput, match=rf"{file}: \S+: (Field required|Extra inputs are not permitted)"):
            tasks.read(filed(own) / file, other)


@pytest.mark.parametrize("name", made_up.STUDIES)
def test_final_results_hold_every_metric_for_every_model(study, name):
    final = schemas.read(filed(name) / "final_results.json")
    assert {metric: set(values) for metric, values in final.metrics.items()} == {
        metric: set(found.models) for metric, found in metrics.of(name).items()
    }


def test_pooled_metrics_are_over_all_examples(study):
    final = schemas.read(FILED / "final_results.json")
    rows = [row for row in files.read_csv(FILED / "evaluation_examples.csv") if row["model"] == "baseline"]
    rouge = sum(float(row["rougeL"]) for row in rows) / len(rows)
    nll = sum(float(row["nll_nats"]) for row in rows) / sum(int(row["target_tokens"]) for row in rows)
    assert math.isclose(final.metrics["evaluate.rougeL"]["baseline"], rouge)
    assert math.isclose(final.metrics["evaluate.nll_per_token"]["baseline"], nll)


def test_curves_of_both_arms_stand_in_one_file(study):
    rows = files.read_csv(FILED / "training_curves.csv")
    assert list(rows[0]) == ["arm", "step", "epoch", "split", "nll_per_token"]
    assert [row["arm"] for row in rows] == ["baseline"] * 4 + ["monotonic"] * 4


def test_metadata_says_who_when_and_with_what(study):
    found = files.read_json(FILED / "metadata.json")
    assert found["experiment_id"] == "t5_experiments_demo_seed42_20261120"
    assert found["experiment_type"] == "t5_summarization"
    assert found["hyperparameters"] == scale.read_yaml(Path("scales/demo.yaml"))[studies.STUDY]
    assert found["checkpoints"]["monotonic"] == {
        "sha256": made_up.checkpoint(42, "monotonic"),
        "path": "runs/t5_experiments/seed_42/monotonic/checkpoint",
        "archived_to": None,
    }
    assert found["git"]["commit"] == "c" * 40
    assert list(found["stages"]) == sorted(metadata.RECORDS)
    assert found["stages"]["hotflip"] == files.read_json(RUN / "hotflip/record.json")
    assert found["verification"]["paper_tables"][0] == "table_1_training_dynamics"
    assert set(found["results_files"].values()) == {path.name for path in FILED.iterdir()} - {"metadata.json"}


def test_metadata_of_the_second_study(study):
    found = files.read_json(filed(made_up.TEXT) / "metadata.json")
    assert found["experiment_id"] == "foundation_llm_experiments_demo_seed42_20261120"
    assert found["experiment_type"] == "foundation_llm"
    assert found["model"] == made_up.model_facts(made_up.TEXT)
    for seed in studies.SEEDS:
        found = files.read_json(filed(made_up.TEXT).with_name(f"seed_{seed}") / "metadata.json")
        assert found["verification"]["paper_tables"] == ["table_7_foundation_models"]


def test_other_seeds_are_not_in_the_tables_of_the_first(study):
    found = files.read_json(FILED.with_name("seed_1337") / "metadata.json")
    assert found["verification"]["used_in_paper"] is True
    assert found["verification"]["paper_tables"] == [
        "table_3_multiseed_training",
        "table_4_multiseed_rouge",
        "table_5_hotflip_attacks",
        "table_6_uat_attacks",
    ]


def test_a_seed_outside_the_paper_can_be_filed(study):
    studies.leave(study, 777)
    collect(777)
    found = files.read_json(FILED.with_name("seed_777") / "metadata.json")
    assert found["verification"]["used_in_paper"] is False
    assert found["verification"]["paper_tables"] == []


def test_the_log_is_for_people(study):
    text = (FILED / "experiment_log.txt").read_text()
    assert "train.monotonic" in text
    assert "duration  1 h 00 min 00.5 s" in text
    assert "host      n1, a processor" in text


def test_times_and_hosts_stand_in_two_files_only(study):
    for path in FILED.iterdir():
        if path.name not in ("metadata.json", "experiment_log.txt"):
            assert "2026-11-20" not in path.read_text()
            assert '"n1"' not in path.read_text()


@pytest.mark.parametrize(
    ("path", "edit", "message"),
    [
        (
            "hotflip",
            lambda c: c.update(seed=1337),
            "hotflip/results.json: seed is 1337, not 42: it belongs to another run",
        ),
        ("uat", lambda c: c.update(scale="paper"), "uat/results.json: scale is paper, not demo: it belongs to another"),
        ("evaluate", lambda c: c.update(data_digest="0" * 64), "evaluate/results.json: data_digest is 000"),
        ("uat", lambda c: c.update(attack_seed=0), "uat/results.json: attack_seed is not that of hotflip_results.json"),
        (
            "hotflip",
            lambda c: c["checkpoints"].update(baseline="0" * 64),
            "hotflip/results.json: checkpoints.baseline is 000000000000, but stage train wrote",
        ),
        (
            "uat",
            lambda c: c["checkpoints"].update(standard="0" * 64),
            "uat/results.json: checkpoints.standard is 000000000000, but stage standard handed on",
        ),
        ("monotonic", lambda c: c.update(initial_checkpoint="0" * 64), "initial_checkpoint is not the baseline's"),
        (
            "monotonic",
            lambda c: c["constraint"].update(share=0.5),
            "constraint.share is 0.5, but 131072 of 275000 param",
        ),
        ("monotonic", lambda c: c["model"].update(parameters=9), "monotonic/results.json: model: not the baseline's"),
        ("baseline", lambda c: c["model"].update(architecture="decoder-only"), "is decoder-only, not encoder-decoder"),
        (
            "evaluate",
            lambda c: c["datasets"]["news"]["models"].pop("standard"),
            "datasets.news.models: Dictionary should",
        ),
        (
            "hotflip",
            lambda c: c["models"].pop("standard"),
            "hotflip/results.json: models: Dictionary should have at least",
        ),
        ("monotonic", lambda c: c.update(arm="baseline"), "monotonic/results.json: arm is baseline, not monotonic"),
        ("baseline", lambda c: c.update(checkpoint=made_up.sha("standard")), "two of the three models have the same"),
        ("monotonic", lambda c: c.update(constraint=None), "the monotonic arm has one and the baseline none"),
        ("baseline", lambda c: c["best"].update(train_nll_per_token=None), "best.train_nll_per_token: null"),
        ("evaluate", lambda c: c.update(extra=1), "evaluate/results.json: extra: Extra inputs are not permitted"),
        ("evaluate", lambda c: c.pop("decoding"), "evaluate/results.json: decoding: Field required"),
        (
            "hotflip",
            lambda c: c["models"]["baseline"]["damage"]["attack"].update(relative_nll=0.0),
            "models.baseline.damage.attack.relative_nll is 0.0, but the examples of examples.csv give",
        ),
    ],
)
def test_what_does_not_belong_is_refused(study, path, edit, message):
    change_recorded(RUN / path / "results.json", edit)
    before = {file.name: file.read_bytes() for file in FILED.iterdir()}
    with pytest.raises(BadInput) as caught:
        collect()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {file.name: file.read_bytes() for file in FILED.iterdir()} == before


@pytest.mark.parametrize(
    ("path", "edit", "message"),
    [
        (
            "hotflip",
            lambda c: c.update(study=studies.STUDY),
            "hotflip/results.json: study is t5_experiments, not found",
        ),
        ("uat", lambda c: c.update(data_digest=made_up.DATA), "uat/results.json: data_digest is "),
        ("evaluate", lambda c: c["checkpoints"].update(baseline="0" * 64), "checkpoints.baseline is 000000000000, but"),
        (
            "baseline",
            lambda c: c["model"].update(architecture="encoder-decoder"),
            "is encoder-decoder, not decoder-onl",
        ),
        (
            "monotonic",
            lambda c: c["constraint"].update(share=0.5),
            "constraint.share is 0.5, but 805306368 of 14146478",
        ),
        ("evaluate", lambda c: c.pop("multiple_choice"), "evaluate/results.json: multiple_choice: Field required"),
        ("evaluate", lambda c: c.update(rouge={}), "evaluate/results.json: rouge: Extra inputs are not permitted"),
        (
            "evaluate",
            lambda c: c["datasets"]["news"]["models"]["baseline"]["perplexity"].update(mean=8.0),
            "datasets.news.models.baseline.perplexity.mean is 8.0, but the examples of examples.csv give 8.",
        ),
        (
            "evaluate",
            lambda c: c["datasets"]["news"]["reference_points"].update(lead_1={}),
            "datasets.news.reference_points.lead_1.[key]: Input should be 'unigram'",
        ),
        (
            "evaluate",
            lambda c: c["multiple_choice"]["tasks"]["winogrande"]["models"]["baseline"].update(outcomes="111x"),
            "multiple_choice.tasks.winogrande.models.baseline.outcomes: String should match pattern",
        ),
        (
            "hotflip",
            lambda c: c["models"]["baseline"]["conditions"]["clean"].update(rougeL=0.5),
            "models.baseline.conditions.clean.rougeL: Extra inputs are not permitted",
        ),
        (
            "uat",
            lambda c: c["models"]["baseline"]["damage"]["attack"].pop("success_absolute_nll"),
            "models.baseline.damage.attack.success_absolute_nll: Field required",
        ),
        (
            "uat",
            lambda c: c["transfer"]["baseline"]["monotonic"].update(relative_nll=0.0),
            "transfer.baseline.monotonic.relative_nll is 0.0, but the examples of examples.csv give",
        ),
    ],
)
def test_what_does_not_belong_to_the_second_study_is_refused(study, path, edit, message):
    change_recorded(TEXT_RUN / path / "results.json", edit)
    before = studies.snapshot(filed(made_up.TEXT))
    with pytest.raises(BadInput) as caught:
        collect(study=made_up.TEXT)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert studies.snapshot(filed(made_up.TEXT)) == before


def test_nan_is_refused(study):
    path = RUN / "hotflip/results.json"
    path.write_text(path.read_text().replace('"n": 6', '"n": NaN'))
    with pytest.raises(BadInput, match=r"hotflip/results\.json: not valid JSON \(NaN is not a number"):
        collect()


def test_a_file_edited_under_runs_is_refused(study):
    studies.change(RUN / "evaluate/results.json", lambda content: content["decoding"].update(beams=5))
    message = "runs/t5_experiments/seed_42/evaluate/results.json: edited after stage evaluate wrote it: run `dvc repro`"
    with pytest.raises(BadInput) as caught:
        collect()
    assert str(caught.value) == message


def test_the_record_of_another_run_is_refused(study):
    shutil.copy(RUN.with_name("seed_1337") / "uat/record.json", RUN / "uat/record.json")
    with pytest.raises(BadInput, match=r"seed_42/uat/record\.json: seed is 1337, not 42"):
        collect()


def test_a_stage_that_ran_with_other_parameters_is_refused(study):
    studies.change(
        RUN / "hotflip/record.json",
        lambda record: record["params"]["scales/demo.yaml"]["t5_experiments.hotflip"].update(flips=99),
    )
    with pytest.raises(BadInput) as caught:
        collect()
    assert str(caught.value) == (
        "scales/demo.yaml: t5_experiments.hotflip: stage hotflip ran with another value: run `dvc repro`"
    )


def test_a_curve_of_another_run_is_refused(study):
    path = RUN / "baseline/curves.csv"
    shutil.copy(RUN.with_name("seed_1337") / "baseline/curves.csv", path)
    with pytest.raises(BadInput, match=r"seed_42/baseline/curves\.csv: no validation loss \d\.\d+ at step 10, which"):
        collect()


def test_a_missing_file_is_refused(study):
    (RUN / "uat/examples.csv").unlink()
    with pytest.raises(BadInput, match=r"uat/examples\.csv: missing, stage uat wrote it"):
        collect()


def test_slurm_jobs_and_gpus_are_gathered(study):
    found = {
        name: json.loads((collection.folder(name, studies.STUDY, 42) / "record.json").read_text())
        for name in metadata.RECORDS
    }
    found["uat"]["hardware"].update(gpu="a GPU", node="n2", slurm={"SLURM_JOB_ID": "17"})
    records = [schemas.validate(record, metadata.Record, Path(name)) for name, record in found.items()]
    assert metadata.hardware(records) == {
        "gpu": "a GPU",
        "node": "n1, n2",
        "slurm_job_ids": ["17"],
        "processor": "a processor",
    }


def test_sources_are_where_the_stages_leave_them(study):
    found = collection.sources(studies.STUDY, 7)
    assert found["data_statistics.json"] == paths.corpus(studies.STUDY) / "data_statistics.json"
    assert found["monotonic_training.json"] == paths.seed(studies.STUDY, 7) / "monotonic" / "results.json"
    assert found["reference_points.csv"] == paths.seed(studies.STUDY, 7) / "evaluate" / "reference_points.csv"
    assert found["uat_examples.csv"] == paths.seed(studies.STUDY, 7) / "uat" / "examples.csv"
