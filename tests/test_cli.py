"""The command `mono`."""

import json
import shutil
from pathlib import Path

import pytest
import sweeping
from typer.testing import CliRunner

from mono_s2s.cli import app


def mono(*arguments, ok=True):
    done = CliRunner().invoke(app, list(arguments))
    assert (done.exit_code == 0) is ok, done.output
    return done.output


def test_every_command_says_what_it_does_with_an_example():
    assert app.registered_commands
    for command in app.registered_commands:
        assert "Example: mono " in command.callback.__doc__
        assert mono(command.callback.__name__, "--help")


def test_good_parameters_are_listed(study):
    lines = mono("check").splitlines()
    assert lines[0] == "params.yaml: well-formed"
    assert "scales/demo.yaml: well-formed" in lines
    assert len(lines) == 1 + len(list(Path("scales").glob("*.yaml")))
    assert all(entry["error"] is None for entry in json.loads(mono("check", "--json")))


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        (
            "params.yaml",
            "seed: 42",
            "seed: many",
            "error: params.yaml: seed: Input should be a valid integer, not 'many'",
        ),
        ("params.yaml", "scale: demo", "scale: huge", "error: params.yaml: scale: there is no scales/huge.yaml"),
        (
            "params.yaml",
            "- evaluate.rougeL",
            "- rouge",
            "error: params.yaml: statistics.families.t5_experiments.primary.0: 'rouge' is",
        ),
        ("params.yaml", "- 1337", "- 42", "error: params.yaml: the file: seeds holds one seed twice"),
        (
            "scales/demo.yaml",
            "flips: 5",
            "flips: 0",
            "error: scales/demo.yaml: t5_experiments.hotflip.flips: Input shou",
        ),
        (
            "scales/demo.yaml",
            "flips:",
            "flops:",
            "error: scales/demo.yaml: t5_experiments.hotflip.flips: Field required",
        ),
    ],
)
def test_bad_parameters_are_named_and_fail(study, path, old, new, message):
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new, 1))
    lines = mono("check", ok=False).splitlines()
    assert [line for line in lines if line.startswith("error: ")] == [line for line in lines if message in line]
    # The others are still looked at.
    assert len(lines) == 1 + len(list(Path("scales").glob("*.yaml")))
    found = json.loads(mono("check", "--json", ok=False))
    assert [entry["file"] for entry in found if entry["error"]] == [path]


def test_tables_show_what_is_printed(study):
    text = mono("tables", "5")
    table = json.loads(Path("paper_evidence/table_5_hotflip_attacks.json").read_text())
    for row in table["rows"]:
        for cell in row["cells"]:
            assert cell["text"] in text
    assert "Robustness to HotFlip" in text
    assert "Robustness to universal" not in text


def test_tables_as_json(study):
    found = json.loads(mono("tables", "--json"))
    assert [table["id"].split("_")[1] for table in found] == list("1234567")
    assert len(json.loads(mono("tables", "1", "4", "--json"))) == 2


def test_numbers_are_listed_with_their_texts(study):
    text = mono("numbers", "t5.hotflip.difference.delta_nll")
    found = json.loads(mono("numbers", "--json"))["numbers"]
    shown = {key: place for key, place in found.items() if key.startswith("t5.hotflip.difference.delta_nll")}
    assert len(shown) == 6
    listed = [line.split()[0] for line in text.splitlines() if "t5." in line]
    assert sorted(listed) == list(shown)
    assert listed[:2] == ["t5.hotflip.difference.delta_nll", "t5.hotflip.difference.delta_nll.mean"]
    for place in shown.values():
        assert place["text"] in text
        assert f"{place['source']}#{place['pointer']}" in text
    assert "lm.seeds" in mono("numbers")


def test_a_number_that_nobody_has(study):
    assert mono("numbers", "t5.hotflip.diference", ok=False).startswith(
        "error: no number is called t5.hotflip.diference: did you mean t5.hotflip.difference"
    )


def test_the_names_in_a_paper(study, tmp_path):
    paper = tmp_path / "paper.tex"
    paper.write_text("\\evidence{t5.seeds.n}\\evidence{t5.seeds.n}\\evidence{lm.scale}")
    assert mono("numbers", "--tex", str(paper)) == f"{paper}: 2 numbers by name, all known\n"
    paper.write_text("\n\\evidence{t5.seeds.m}")
    fault = f"{paper}:2: no number is called t5.seeds.m: did you mean t5.seeds.n"
    assert mono("numbers", "--tex", str(paper), ok=False).startswith(f"error: {fault}")
    (found,) = json.loads(mono("numbers", "--tex", str(paper), "--json", ok=False))["faults"]
    assert found.startswith(fault)
    assert "cannot be read" in mono("numbers", "--tex", "none.tex", ok=False)


def test_tables_that_are_not_there(study):
    assert mono("tables", "9", ok=False) == "error: table 9: there are 1, 2, 3, 4, 5, 6, 7\n"
    shutil.rmtree("paper_evidence")
    assert mono("tables", ok=False).startswith("error: paper_evidence: no table_*.json here: run `dvc repro`")


@pytest.fixture
def swept(tmp_path, monkeypatch):
    found = sweeping.swept(tmp_path / "checkout")
    monkeypatch.chdir(found.path)
    return found


def test_a_sweep_is_shown_with_its_winner(swept):
    text = mono("sweep")
    assert "perplexity ratio at most 2.0 at every seed" in text
    (row,) = [line for line in text.splitlines() if line.startswith(" nonneg mlp_in ")]
    assert "1.350 (1.350)" in row
    assert "0.9310 ± 0.0916" in row
    assert "42: 0.9958" in row
    assert "winner: nonneg mlp_in" in text.splitlines()
    assert "a winner is a choice, not a claim" in text
    assert mono("sweep", "--study", sweeping.STUDY, "--scale", "toy") == text


def test_a_sweep_as_json_is_the_same_every_time(swept):
    text = mono("sweep", "--json")
    assert json.loads(text)["winner"] == {"mode": "nonneg", "scope": "mlp_in"}
    assert mono("sweep", "--json") == text
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_a_sweep_without_a_winner_fails_and_still_shows_the_variants(swept):
    for seed in (42, 1337):
        swept.run(f"in-{seed}", "mlp_in", seed, loss=(1.0, 3.0), damage=(2.0, 1.0))
        swept.run(f"both-{seed}", "mlp_both", seed, loss=(1.0, 3.0), damage=(2.0, 1.75))
    text = mono("sweep", ok=False)
    assert "no winner: no variant stays at or below the ceiling of 2.0 at every seed" in text
    assert "nonneg mlp_in" in text
    assert json.loads(mono("sweep", "--json", ok=False))["winner"] is None


def test_a_sweep_that_cannot_be_made_is_one_line(swept):
    assert mono("sweep", "--scale", "odd", ok=False).startswith("error: scale: 'odd' is not one of")
    swept.run("more", "mlp_in", 7)
    assert len(mono("sweep", ok=False).splitlines()) == 1
