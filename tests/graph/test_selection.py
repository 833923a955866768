"""`dvc exp run`, `dvc exp show` and `dvc repro`, in any order, on one graph."""

import csv
import json

import pytest
from clones import SEEDS, STUDIES, STUDY, Clone

pytestmark = [pytest.mark.graph, pytest.mark.slow]
LOSSES = ("nll_per_token", "hotflip_delta_nll", "uat_delta_nll")
LIGHT = {*(f"check@{study}" for study in STUDIES), "headline"}


def test_repro_ran_every_seed_and_built_every_table(template):
    ran = Clone(template).stages_run((template.parent / "first_run.txt").read_text())
    for study in STUDIES:
        for seed in SEEDS:
            for stage in ("evaluate", "uat", "hotflip", "collect"):
                assert ran.count(f"{stage}@{study}-{seed}") == 1
            for arm in ("baseline", "monotonic"):
                assert ran.count(f"train@{study}-{seed}-{arm}") == 1
        assert ran.count(f"corpus@{study}") == ran.count(f"standard@{study}") == 1
        assert (template / f"experiment_results/{study}/aggregated/all_seeds_summary.json").is_file()
    for number in range(1, 8):
        assert len(list((template / "paper_evidence").glob(f"table_{number}_*.tex"))) == 1
    assert (template / "paper_evidence" / "provenance.json").is_file()


def test_second_repro_runs_nothing_and_changes_no_file(clone):  # T1
    before = clone.all_files()
    assert clone.stages_run(clone.run("dvc repro")) == []
    assert clone.all_files() == before


def test_experiment_on_a_finished_seed_runs_light_stages_only(clone):  # T2, T2b
    evidence = clone.evidence()
    output = clone.run("dvc exp run -S seed=1337")
    assert set(clone.stages_run(output)) <= LIGHT
    assert "headline" in clone.stages_run(output)
    headline = json.loads((clone.path / "metrics.json").read_text())
    final = json.loads((clone.path / f"experiment_results/{STUDY}/seed_1337/final_results.json").read_text())
    assert headline["baseline"]["rougeL"] == final["metrics"]["evaluate.rougeL"]["baseline"]
    assert clone.evidence() == evidence
    assert set(clone.stages_run(clone.run("dvc repro paper_evidence/dvc.yaml"))) <= LIGHT


def test_an_experiment_on_the_other_study_shows_that_one(clone):
    output = clone.run("dvc exp run -S study=foundation_llm_experiments -S seed=1337")
    assert clone.stages_run(output) in (["headline"], ["check@foundation_llm_experiments", "headline"])
    headline = json.loads((clone.path / "metrics.json").read_text())
    folder = clone.path / "experiment_results/foundation_llm_experiments/seed_1337"
    final = json.loads((folder / "final_results.json").read_text())
    assert headline["monotonic"]["perplexity"] == final["metrics"]["evaluate.perplexity"]["monotonic"]
    assert "rougeL" not in headline["monotonic"]


def test_a_seed_outside_the_paper_runs_its_own_arm_only(clone):  # T2c
    evidence = clone.evidence()
    ran = clone.stages_run(clone.run("dvc exp run -S seed=777"))
    assert {name for name in ran if name not in LIGHT} == {
        f"train@{STUDY}-777-baseline",
        f"train@{STUDY}-777-monotonic",
        *(f"{stage}@{STUDY}-777" for stage in ("evaluate", "uat", "hotflip", "collect")),
    }
    after = clone.evidence()
    assert {name: after[name] for name in evidence} == evidence
    assert {name for name in after if name not in evidence} == {
        name for name in after if name.startswith(f"experiment_results/{STUDY}/seed_777/")
    }
    # Going back loses nothing and runs nothing heavy; the other seed's results stay.
    assert set(clone.stages_run(clone.run("dvc exp run -S seed=42"))) <= LIGHT
    assert (clone.path / f"experiment_results/{STUDY}/seed_42/final_results.json").is_file()
    assert clone.stages_run(clone.run("dvc repro")) == []


def test_show_compares_under_one_set_of_columns(clone):
    clone.run("dvc exp run -S seed=1337 -n first")
    clone.run("dvc exp run -S seed=2024 -n second")
    rows = list(csv.DictReader(clone.run("dvc exp show --csv").splitlines()))
    by_name = {row["Experiment"]: row for row in rows}
    for arm in ("baseline", "monotonic"):
        for name in ("first", "second"):
            assert all(by_name[name][f"{arm}.{metric}"] for metric in ("rougeL", *LOSSES))
        for metric in LOSSES:
            assert by_name["first"][f"{arm}.{metric}"] != by_name["second"][f"{arm}.{metric}"]
    assert by_name["first"]["seed"] == "1337"
    assert by_name["second"]["seed"] == "2024"
    assert by_name["first"]["scale"] == "toy"
    assert "seed" in clone.run("dvc params diff HEAD first")
    assert "baseline.nll_per_token" in clone.run("dvc metrics diff HEAD first")
    plots = json.loads(clone.run("dvc plots diff HEAD first --json"))
    (curves,) = plots["data"]["training loss"]
    values = curves["content"]["data"]["values"]
    assert {value["rev"] for value in values} == {"HEAD", "first"}
    assert {value["field"] for value in values} == {"baseline", "monotonic"}


def test_collecting_garbage_and_remotes_keep_every_paper_seed(clone, tmp_path):
    clone.run("dvc exp run -S seed=1337")
    clone.run("dvc gc -w -f")
    assert set(clone.stages_run(clone.run("dvc repro"))) <= LIGHT
    clone.run(
        f"dvc remote add -d local {tmp_path / 'remote'} && dvc push && git add -A && git commit -qm 'train: 1337'"
    )
    fresh = Clone(tmp_path / "fresh")
    clone.run(f"git clone -q {clone.path} {fresh.path}")
    fresh.run("dvc pull")
    assert fresh.stages_run(fresh.run("dvc repro")) == []


def test_four_paper_seeds_stop_at_parsing(clone):  # T11
    clone.edit("params.yaml", "- 12345\n", "")
    tables = clone.tables()
    assert "seeds" in clone.run("dvc repro", ok=False)
    assert clone.tables() == tables
