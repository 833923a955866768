"""Tables say what the files say, in the same bytes each time, and TeX takes them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import made_up
import pytest
import studies
import yaml

from mono_s2s import files, params
from mono_s2s.evidence import metadata, schemas, specs, tables
from mono_s2s.files import BadInput

FOLDER = Path("paper_evidence")
NAMES = [
    "table_1_training_dynamics",
    "table_2_rouge_scores",
    "table_3_multiseed_training",
    "table_4_multiseed_rouge",
    "table_5_hotflip_attacks",
    "table_6_uat_attacks",
]
TEXT = "table_7_foundation_models"
ALL = [*NAMES, TEXT]
TEXT_SUMMARY = Path("experiment_results/foundation_llm_experiments/aggregated/all_seeds_summary.json")


def write():
    tables.write_all(specs.load(), params.load_params().seeds)


def edit_spec(number, edit):
    path = specs.path_of(number)
    content = yaml.safe_load(path.read_text())
    edit(content)
    path.write_text(yaml.safe_dump(content, allow_unicode=True))


def refusal():
    with pytest.raises(BadInput) as caught:
        write()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_declared_tables_in_order(study):
    assert [spec.id for spec in specs.load()] == ALL


def test_rendering_twice_gives_the_same_bytes(study):
    before = {path: path.read_bytes() for path in FOLDER.glob("table_*")}
    assert {path.stem for path in before} == set(ALL)
    assert len(before) == 14
    write()
    assert {path: path.read_bytes() for path in FOLDER.glob("table_*")} == before


@pytest.mark.parametrize("name", ALL)
def test_every_cell_is_what_stands_in_its_file(study, name):
    table = schemas.read(FOLDER / f"{name}.json", tables.Table)
    cells = [cell for row in table.rows for cell in row.cells]
    traced = [cell for cell in cells if cell.source is not None]
    assert traced
    for cell in traced:
        found = tables.lookup(json.loads(Path(cell.source).read_text()), cell.pointer)
        assert found == cell.value or all(found[key] == value for key, value in cell.value.items())
        assert cell.source in table.source_files
    for cell in cells:
        assert (cell.value is None) == (cell.text == "–")


def test_printed_text_by_hand(study):
    def set_values(content):
        found = content["metrics"]["hotflip.delta_nll_per_token"]["models"]["monotonic"]
        found.update(mean=0.12345, sd=0.0449)

    studies.change(Path("experiment_results/t5_experiments/aggregated/all_seeds_summary.json"), set_values)
    write()
    table = files.read_json(FOLDER / "table_5_hotflip_attacks.json")
    row = next(row for row in table["rows"] if row["block"] == "HotFlip" and row["title"] == "ΔNLL")
    assert row["cells"][2] == {
        "key": "table_5.hotflip.delta_nll_per_token.monotonic",
        "value": {"mean": 0.12345, "sd": 0.0449},
        "text": "0.123 ± 0.045",
        "latex": r"$0.123 \pm 0.045$",
        "source": "experiment_results/t5_experiments/aggregated/all_seeds_summary.json",
        "pointer": "/metrics/hotflip.delta_nll_per_token/models/monotonic",
    }
    assert r"$0.123 \pm 0.045$" in (FOLDER / "table_5_hotflip_attacks.tex").read_text()


@pytest.mark.parametrize("name", ["table_5_hotflip_attacks", TEXT])
def test_golden_tables(study, name):
    """The LaTeX of a whole table; after a wanted change, copy the new text over the golden file."""
    assert (FOLDER / f"{name}.tex").read_text() == (Path(__file__).parent / f"{name}.tex").read_text()


def test_robustness_stands_beside_clean_quality_and_controls(study):
    for name in NAMES[4:]:
        blocks = [row["block"] for row in files.read_json(FOLDER / f"{name}.json")["rows"]]
        assert blocks[0] == "Clean"
        assert {"Random search"} < set(blocks)


@pytest.mark.parametrize("name", NAMES)
def test_notes_say_what_a_reader_must_know(study, name):
    note = files.read_json(FOLDER / f"{name}.json")["note"]
    assert "Scale demo: documents that the project writes itself" in note
    assert "same budget (2 epochs, 20 updates of 32 examples" in note
    assert "8 feed-forward matrices" in note
    if name in NAMES[:2]:
        assert "Seed 42 alone" in note
    else:
        assert "5 training seeds (42, 1337, 2024, 8888, 12345)." in note
        assert "exact two-sided paired sign-flip test" in note
        assert "no p below 0.0625" in note


def test_unequal_budgets_stand_in_the_note(study):
    def edit(content):
        content["budget"].update(equal=False, differing=["steps"])
        content["budget"]["arms"]["monotonic"]["steps"] = 40

    studies.change(Path("experiment_results/t5_experiments/aggregated/all_seeds_summary.json"), edit)
    write()
    note = files.read_json(FOLDER / "table_3_multiseed_training.json")["note"]
    assert "The arms' budgets differ in steps (20 and 40), the baseline's first" in note
    assert "same budget (" not in note


def test_the_note_of_the_second_study(study):
    table = files.read_json(FOLDER / f"{TEXT}.json")
    note = table["note"]
    unigram = files.read_json(TEXT_SUMMARY)["reference_points"]["unigram"]["perplexity"]
    for said in (
        "Scale demo: texts that the project writes itself",
        "Constrained: 805,306,368 of 1,414,647,808 parameters.",
        "8 feed-forward matrices (56.9% of its parameters) are constrained",
        "The activation, GELU, is not monotone, so non-negative weights alone do not make a layer monotone.",
        f"frequencies in the training text alone give {unigram:.1f}.",
        "only a continuation is scored, which no attack writes",
        "HotFlip: 6 examples per seed, at most 5 substitutions.",
        "each model’s own 5 tokens before the context, found in 4 sweeps over other text",
        "the same budget for every model",
        "loss rises by at least 0.6 nats per scored token",
        "no p below 0.0625",
    ):
        assert said in note, said
    assert "ROUGE" not in json.dumps(table)
    assert "summar" not in note


def test_a_monotone_activation_and_another_scope(study):
    def edit(content):
        content["constraint"].update(activation="relu", activation_monotone=True, scope="mlp_in_attn_out")
        content["attacks"]["uat"]["success_absolute_nll"] = 0.25

    studies.change(TEXT_SUMMARY, edit)
    write()
    note = files.read_json(FOLDER / f"{TEXT}.json")["note"]
    assert "The activation, ReLU, is monotone." in note
    assert "8 feed-forward input and attention output matrices" in note
    assert "loss rises by at least 0.6 (HotFlip) or 0.25 (triggers) nats per scored token" in note


def test_a_gated_activation(study):
    studies.change(TEXT_SUMMARY, lambda content: content["constraint"].update(activation="gated-silu"))
    write()
    assert "The activation, gated SiLU, is not monotone" in files.read_json(FOLDER / f"{TEXT}.json")["note"]


def test_counts_have_commas_between_thousands(study):
    rows = files.read_json(FOLDER / f"{TEXT}.json")["rows"]
    cells = next(row for row in rows if row["title"] == "Parameters")["cells"]
    assert [cell["text"] for cell in cells] == ["1,414,647,808"] * 3 + ["–"] * 3
    assert cells[0]["latex"] == "$1{,}414{,}647{,}808$"
    assert cells[0]["value"] == 1414647808
    shares = next(row for row in rows if row["title"] == "Constrained, %")["cells"]
    assert [cell["text"] for cell in shares] == ["–", "–", "56.9", "–", "–", "–"]


def test_a_count_that_is_none_is_refused(study):
    studies.change(TEXT_SUMMARY, lambda content: content["model"].update(parameters=1.5))
    assert refusal().endswith(
        "/model/parameters: not a count, which paper_evidence/specs/table_7.yaml asks for: mend the spec"
    )


def test_latex_needs_booktabs_alone(study):
    for name in ALL:
        text = (FOLDER / f"{name}.tex").read_text()
        assert r"\toprule" in text
        assert not re.search(r"\\(multirow|hline|cline|makecell|SI|num)\b", text)
        assert text.isascii()


def test_multi_seed_tables_in_one_file(study):
    text = Path("experiment_results/t5_experiments/aggregated/paper_ready_tables.tex").read_text()
    assert text.count(r"\begin{table}") == 4
    assert "table_2_rouge_scores" not in text
    text = TEXT_SUMMARY.with_name("paper_ready_tables.tex").read_text()
    assert text.count(r"\begin{table}") == 1
    assert "table_7_foundation_models" in text


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="needs latexmk and booktabs")
def test_tex_takes_all_tables(study, tmp_path):
    inputs = "\n".join(rf"\input{{{study}/paper_evidence/{name}}}" for name in ALL)
    ready = rf"\clearpage\input{{{study}/experiment_results/t5_experiments/aggregated/paper_ready_tables}}"
    # 397 pt is a common text width of conference styles.
    head = r"\documentclass{article}\usepackage{booktabs}\setlength{\textwidth}{397pt}"
    document = rf"{head}\begin{{document}}{inputs}{ready}\end{{document}}"
    (tmp_path / "all.tex").write_text(document)
    command = ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    log = (tmp_path / "all.log").read_text(errors="replace")
    assert "Overfull" not in log
    assert "Missing character" not in log


def test_a_missing_number_is_refused(study):
    studies.change(
        Path("experiment_results/t5_experiments/aggregated/all_seeds_summary.json"),
        lambda content: content["metrics"].pop("uat.relative_nll"),
    )
    before = {path: path.read_bytes() for path in FOLDER.glob("table_*")}
    assert refusal() == (
        "experiment_results/t5_experiments/aggregated/all_seeds_summary.json: /metrics/uat.relative_nll/models/"
        "standard: not there, paper_evidence/specs/table_6.yaml asks for it: run `dvc repro`, or mend the spec"
    )
    assert {path: path.read_bytes() for path in FOLDER.glob("table_*")} == before


def test_a_number_that_is_none_is_refused(study):
    def edit(content):
        content["metrics"]["uat.relative_nll"]["models"]["baseline"]["sd"] = None

    studies.change(Path("experiment_results/t5_experiments/aggregated/all_seeds_summary.json"), edit)
    assert refusal().endswith(
        "/metrics/uat.relative_nll/models/baseline: not a spread, which paper_evidence/specs/table_6.yaml asks for: "
        "mend the spec"
    )


def test_a_missing_file_is_refused(study):
    Path("experiment_results/t5_experiments/seed_42/baseline_training.json").unlink()
    assert refusal() == "experiment_results/t5_experiments/seed_42/baseline_training.json: missing"


def test_a_summary_of_other_seeds_is_refused(study):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("- 12345", "- 777"))
    assert refusal().startswith("experiment_results/t5_experiments/aggregated/all_seeds_summary.json: is over other se")


def test_a_metric_without_a_test_has_a_dash(study):
    studies.change(
        Path("experiment_results/t5_experiments/aggregated/statistical_tests.json"),
        lambda content: content["tests"].pop("hotflip.delta_rougeL"),
    )
    write()
    rows = files.read_json(FOLDER / "table_5_hotflip_attacks.json")["rows"]
    row = next(row for row in rows if row["block"] == "HotFlip" and row["title"] == "ΔROUGE-L")
    assert row["cells"][-1]["text"] == "–"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda spec: spec.update(footnote="x"), "table_3.yaml: footnote: Extra inputs are not permitted"),
        (lambda spec: spec.update(id="table_9_training"), "id: table_9_training belongs into table_9.yaml"),
        (lambda spec: spec["columns"][0].update(source="nothing"), "source nothing is not declared under sources"),
        (lambda spec: spec["columns"][0].pop("kind"), "column Baseline: neither says kind"),
        (lambda spec: spec["columns"].append(spec["columns"][0]), "columns: one key twice"),
        (lambda spec: spec["blocks"][0]["rows"][0].update(blank=["x"]), "blank: no column x"),
        (lambda spec: spec["sources"].pop("summary"), "source summary is not declared"),
        (lambda spec: spec.update(caption="café"), "'é' (U+00E9) has no LaTeX form"),
        (lambda spec: spec["blocks"][0].update(over=["summary", "/nowhere"]), "/nowhere: no object to repeat rows"),
    ],
)
def test_a_wrong_spec_is_refused(study, edit, message):
    edit_spec(3, edit)
    assert message in refusal()


def test_no_specs_at_all(study):
    shutil.rmtree("paper_evidence/specs")
    assert refusal() == "paper_evidence/specs: no table_*.yaml: nothing to render"


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [("/a/0", 1), ("/a~1b", 2), ("/c~0d", 3), ("", {"a": [1], "a/b": 2, "c~d": 3})],
)
def test_pointers(pointer, expected):
    assert tables.lookup({"a": [1], "a/b": 2, "c~d": 3}, pointer) == expected


@pytest.mark.parametrize("pointer", ["/b", "/a/1", "/a/x", "/a/0/0", "/a/-1"])
def test_pointers_that_lead_nowhere(pointer):
    assert tables.lookup({"a": [1]}, pointer) is tables._MISSING


def test_spans_of_columns():
    columns = [{"span": None}, {"span": "A"}, {"span": "A"}, {"span": "B"}]
    assert tables.spans(columns) == [(None, 2, 2), ("A", 3, 4), ("B", 5, 5)]


def test_metadata_names_the_tables_that_draw_on_a_run(study):
    for name in made_up.STUDIES:
        found = {spec.id: spec.seeds for spec in specs.load() if spec.study == name}
        assert metadata.PAPER_TABLES[name] == found
    assert metadata.paper_tables(made_up.TEXT, 1337, studies.SEEDS) == [TEXT]
    assert metadata.paper_tables(studies.STUDY, 42, studies.SEEDS) == NAMES
    assert metadata.paper_tables(studies.STUDY, 1337, studies.SEEDS) == NAMES[2:]
    assert metadata.paper_tables(studies.STUDY, 777, studies.SEEDS) == []
