"""Every printed number leads to its file, its stage and its runs; the README and the index say what lies where."""

import re
from pathlib import Path

import made_up
import pytest
import studies

from mono_s2s import files, params
from mono_s2s.evidence import index, metadata, numbers, provenance, schemas, specs
from mono_s2s.files import BadInput

FOLDER = Path("paper_evidence")
SUMMARY = "experiment_results/t5_experiments/aggregated/all_seeds_summary.json"


def write():
    provenance.write(params.load_params(), [spec.id for spec in specs.load()])


def refusal():
    with pytest.raises(BadInput) as caught:
        write()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rendering_twice_gives_the_same_bytes(study):
    names = [FOLDER / "provenance.json", FOLDER / "PAPER_EVIDENCE_README.md"]
    before = [path.read_bytes() for path in names]
    write()
    assert [path.read_bytes() for path in names] == before


def test_every_printed_number_is_traced(study):
    found = schemas.read(FOLDER / "provenance.json", provenance.Provenance)
    for name, table in found.tables.items():
        rows = files.read_json(FOLDER / f"{name}.json")["rows"]
        printed = [cell["text"] for row in rows for cell in row["cells"] if cell["source"]]
        assert sorted(value.text for value in table.extracted_values.values()) == sorted(printed)
    assert len(found.tables) == 7


def test_a_number_in_full(study):
    found = files.read_json(FOLDER / "provenance.json")
    table = found["tables"]["table_5_hotflip_attacks"]
    value = table["extracted_values"]["HotFlip / ΔNLL / Monotonic"]
    assert value["file"] == SUMMARY
    assert value["pointer"] == "/metrics/hotflip.delta_nll_per_token/models/monotonic"
    assert value["md5"] == files.md5(Path(SUMMARY))
    assert value["stage"] == "paper_evidence/dvc.yaml:aggregate@t5_experiments"
    assert value["experiments"] == [f"t5_experiments_demo_seed{seed}_20261120" for seed in studies.SEEDS]
    assert value["commits"] == ["c" * 40]
    assert set(value["value"]) == {"mean", "sd"}
    assert table["extraction_date"] == "2026-11-20"
    assert table["source_experiment"] == value["experiments"]


def test_a_declared_number_in_full(study):
    found = files.read_json(FOLDER / "provenance.json")["numbers"]
    value = found["t5.hotflip.difference.delta_nll"]
    assert value["file"] == SUMMARY
    assert value["pointer"] == "/metrics/hotflip.delta_nll_per_token/difference"
    assert value["md5"] == files.md5(Path(SUMMARY))
    assert value["stage"] == "paper_evidence/dvc.yaml:aggregate@t5_experiments"
    assert value["experiments"] == [f"t5_experiments_demo_seed{seed}_20261120" for seed in studies.SEEDS]
    assert value["commits"] == ["c" * 40]
    parts = value["parts"]
    assert value["text"] == f"{parts['mean']} {parts['range']}"
    assert parts["range"] == f"[{parts['lower']}, {parts['upper']}]"
    # Of one seed: that seed's run alone.
    data = found["lm.data.train.examples"]
    assert data["experiments"] == [f"{made_up.TEXT}_demo_seed42_20261120"]
    assert data["stage"] == f"stages/dvc.yaml:collect@{made_up.TEXT}-42"


def test_every_macro_is_traced(study):
    found = schemas.read(FOLDER / "provenance.json", provenance.Provenance)
    values = [value for table in found.tables.values() for value in table.extracted_values.values()]
    values += found.numbers.values()
    traced = {value.key: value.text for value in values}
    traced |= {f"{value.key}.{part}": text for value in values for part, text in value.parts.items()}
    assert traced == {key: place.text for key, place in numbers.keys().items()}
    assert len(traced) == (FOLDER / "numbers.tex").read_text().count(r"\monosdefine")


def test_numbers_edited_since_are_refused(study):
    path = FOLDER / "numbers.tex"
    text = path.read_text()
    name = "{t5.seeds.n}{5}"
    assert name in text
    path.write_text(text.replace(name, "{t5.seeds.n}{6}"))
    assert refusal() == (
        "paper_evidence/numbers.tex: not what the tables and paper_evidence/specs/numbers.yaml say: run `dvc repro`"
    )
    path.unlink()
    assert refusal().startswith("paper_evidence/numbers.tex: not what")


def test_tables_of_one_run_name_that_run(study):
    table = files.read_json(FOLDER / "provenance.json")["tables"]["table_1_training_dynamics"]
    assert table["source_experiment"] == ["t5_experiments_demo_seed42_20261120"]
    value = table["extracted_values"]["Monotonic / Validation NLL / Initial"]
    assert value["stage"] == "stages/dvc.yaml:collect@t5_experiments-42"
    assert value["value"] == 3.2


def test_a_number_of_the_second_study(study):
    table = files.read_json(FOLDER / "provenance.json")["tables"]["table_7_foundation_models"]
    value = table["extracted_values"]["HotFlip: NLL / Δ attack / Monotonic"]
    assert value["file"] == SUMMARY.replace("t5_experiments", made_up.TEXT)
    assert value["stage"] == f"paper_evidence/dvc.yaml:aggregate@{made_up.TEXT}"
    assert value["experiments"] == [f"{made_up.TEXT}_demo_seed{seed}_20261120" for seed in studies.SEEDS]
    assert table["extracted_values"]["Model / Parameters / Standard"]["value"] == 1414647808


def test_runs_carry_their_digests(study):
    run = files.read_json(FOLDER / "provenance.json")["experiments"]["t5_experiments_demo_seed42_20261120"]
    assert run["data_digest"] == made_up.DATA
    assert run["parameters_digest"] == files.digest(studies.section(Path()))
    assert run["checkpoints"]["monotonic"] == made_up.checkpoint(42, "monotonic")
    assert set(run["code"]) == set(metadata.RECORDS)


def test_a_source_edited_since_is_refused(study):
    studies.change(Path(SUMMARY), lambda content: content.update(source="hub"))
    assert re.match(
        rf"{SUMMARY}: edited after paper_evidence/dvc\.yaml:aggregate@t5_experiments wrote it \(dvc\.lock says md5 ",
        refusal(),
    )


def test_a_table_edited_since_is_refused(study):
    def edit(content):
        content["rows"][0]["cells"][0]["value"] = 0.5

    studies.change(FOLDER / "table_1_training_dynamics.json", edit)
    before = (FOLDER / "provenance.json").read_bytes()
    assert refusal() == (
        "paper_evidence/table_1_training_dynamics.json: Baseline, Initial: not what stands at "
        "experiment_results/t5_experiments/seed_42/baseline_training.json: /initial/validation_nll_per_token: "
        "run `dvc repro`"
    )
    assert (FOLDER / "provenance.json").read_bytes() == before


def test_a_source_that_no_stage_wrote_is_refused(study):
    path = Path("paper_evidence/dvc.lock")
    path.write_text("schema: '2.0'\nstages: {}\n")
    assert refusal() == f"{SUMMARY}: no stage in dvc.lock wrote it, yet the paper draws on it: run `dvc repro`"


def test_a_table_that_was_not_rendered_is_refused(study):
    (FOLDER / "table_6_uat_attacks.json").unlink()
    assert refusal() == "paper_evidence/table_6_uat_attacks.json: missing"


def test_the_readme_lists_the_tables(study):
    text = (FOLDER / "PAPER_EVIDENCE_README.md").read_text()
    for spec in specs.load():
        assert f"[{spec.id}]({spec.id}.json)" in text
    assert "of scale demo" in text


def test_the_index_lists_the_papers_runs(study):
    found = schemas.read(Path("experiment_results/experiment_index.json"), index.Index)
    assert [(run.study, run.seed) for run in found.experiments] == [
        (name, seed) for name in made_up.STUDIES for seed in studies.SEEDS
    ]
    assert all(Path(run.path).is_dir() for run in found.experiments)
    assert found.experiments[0].commit == "c" * 40
    present = {path.name for path in Path(found.experiments[0].path).iterdir()}
    assert present == {name for name, _, _ in index.CONTENTS}
    assert set(found.aggregated) == set(made_up.STUDIES)
    for folder in found.aggregated.values():
        assert {path.name for path in Path(folder).iterdir()} == {name for name, _, _ in index.AGGREGATED}


def test_the_index_tells_schema_versions(study):
    found = files.read_json(Path("experiment_results/experiment_index.json"))["files"]
    folder = Path("experiment_results/t5_experiments")
    for name, version in found.items():
        path = folder / "seed_42" / name
        path = path if path.exists() else folder / "aggregated" / name
        assert version == (files.read_json(path)["schema_version"] if path.suffix == ".json" else None)


def test_the_results_readme_is_plain_about_the_corpus(study):
    text = Path("experiment_results/RESULTS_README.md").read_text()
    assert "scale demo**: the corpus is generated by this project" in text
    assert "say nothing about natural text" in text
    assert "[t5_experiments_demo_seed42_20261120](t5_experiments/seed_42)" in text
    metrics = files.read_json(Path("experiment_results") / made_up.TEXT / "seed_42/final_results.json")["metrics"]
    line = next(line for line in text.splitlines() if f"({made_up.TEXT}/seed_42)" in line)
    shown = metrics["evaluate.perplexity"]
    assert f"| {shown['baseline']:.2f} / {shown['monotonic']:.2f} |" in line
    assert text.count("| run | seed |") == 2


def test_the_index_is_stable_and_misses_no_run(study):
    path = Path("experiment_results/experiment_index.json")
    before = path.read_bytes()
    index.write(params.load_params())
    assert path.read_bytes() == before
    Path("experiment_results/t5_experiments/seed_8888/metadata.json").unlink()
    with pytest.raises(BadInput, match=r"seed_8888/metadata\.json: missing"):
        index.write(params.load_params())
