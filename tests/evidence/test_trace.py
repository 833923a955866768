"""mono trace: a printed number followed to the runs."""

import json
import re
from pathlib import Path

import pytest
from made_up import checkpoint, data_digest
from studies import SEEDS, STUDIES, STUDY, change, from_yaml, to_yaml
from typer.testing import CliRunner

from mono_s2s import files
from mono_s2s.cli import app
from mono_s2s.evidence import chain, finding, lineage, metadata, numbers, printed, trace
from mono_s2s.params import load_params

KEY = "table_5.hotflip.success.monotonic"
SUMMARY = f"experiment_results/{STUDY}/aggregated/all_seeds_summary.json"
TABLE = "paper_evidence/table_5_hotflip_attacks.json"


def mono(*arguments, code=0):
    done = CliRunner().invoke(app, ["trace", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def lock_paper():
    """paper_evidence/dvc.lock with the stages that print."""
    content = from_yaml(Path("paper_evidence/dvc.lock"))
    outs = {
        "tables": sorted([*Path("paper_evidence").glob("table_*"), Path("paper_evidence/numbers.tex")]),
        "provenance": [Path("paper_evidence/provenance.json")],
    }
    for name, paths in outs.items():
        content["stages"][name] = {
            "cmd": f"python -m stages.{name}",
            "outs": [{"path": path.as_posix(), "hash": "md5", "md5": files.md5(path)} for path in paths],
        }
    Path("paper_evidence/dvc.lock").write_text(to_yaml(content))


@pytest.fixture
def paper(study):
    """The finished studies as the current folder, what prints locked as well."""
    lock_paper()
    return study


def test_the_whole_chain_of_an_aggregated_number(paper):
    found = json.loads(mono(KEY, "--json"))
    cells = [cell for row in json.loads(Path(TABLE).read_text())["rows"] for cell in row["cells"]]
    (cell,) = [cell for cell in cells if cell["key"] == KEY]
    summary = json.loads(Path(SUMMARY).read_text())["metrics"]["hotflip.success"]["models"]["monotonic"]
    assert (found["text"], found["value"]) == (cell["text"], {"mean": summary["mean"], "sd": summary["sd"]})
    assert found["source"] == {
        "path": SUMMARY,
        "pointer": "/metrics/hotflip.success/models/monotonic",
        "md5": files.md5(Path(SUMMARY)),
        "lock": "paper_evidence/dvc.lock",
        "intact": True,
        "stage": f"paper_evidence/dvc.yaml:aggregate@{STUDY}",
        "command": f"python -m stages.aggregate --study {STUDY}",
    }
    assert [run["seed"] for run in found["runs"]] == list(SEEDS)
    for run in found["runs"]:
        final = Path(f"experiment_results/{STUDY}/seed_{run['seed']}/final_results.json")
        assert run["value"] == json.loads(final.read_text())["metrics"]["hotflip.success"]["monotonic"]
        assert (run["file"]["path"], run["file"]["md5"]) == (final.as_posix(), files.md5(final))
        assert run["checkpoints"]["monotonic"] == checkpoint(run["seed"], "monotonic")
        assert run["data_digest"] == data_digest(STUDY)
        record = run["records"]["hotflip"]
        assert record["git"] == {"commit": "c" * 40, "branch": "main", "tag": None, "dirty": False}
        assert record["command"][-1] == str(run["seed"])
        assert record["hardware"]["node"] == "n1"
    (stage,) = found["stages"]
    assert stage["addresses"] == [f"stages/dvc.yaml:hotflip@{STUDY}-{seed}" for seed in SEEDS]
    assert stage["upstream"] == ["corpus", "standard", "train.baseline", "train.monotonic"]
    assert found["files"] == ["hotflip_results.json", "hotflip_examples.csv"]
    assert found["broken"] == []


def test_every_kind_of_number_has_a_whole_chain_on_one_screen(paper):
    places = trace.names()
    some = list(places)[::29]
    assert {key.split(".")[0] for key in some} >= {*(f"table_{number}" for number in range(1, 8)), "t5", "lm"}
    for key in some:
        found = trace.trace(key, places)
        assert found["broken"] == [], key
        lines = list(chain.plain(chain.lines(found)))
        assert len(lines) <= 44, "\n".join(lines)
        assert max(map(len, lines)) <= chain.WIDTH, "\n".join(lines)
        assert lines[-1] == "Every link holds."


def test_the_origin_of_every_number_is_known_better_than_everything(paper):
    known = printed.origins(load_params())
    for key, place in trace.names().items():
        origin = known.of(place.source, place.pointer)
        assert origin.study == place.study, key
        assert len(origin.records) < len(metadata.RECORDS), key


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("table_5.monotonic.success", KEY),
        ("table_5 success monotonic", KEY),
        ("Table 5 HotFlip Monotonic Success", KEY),
        (rf"\evidence{{{KEY}}}", KEY),
        (KEY.upper(), KEY),
        ("table_5.delta_nll.p", "table_5.hotflip.delta_nll_per_token.p"),
        ("table_5.monotonic.success.sd", f"{KEY}.sd"),
        ("table_1.baseline.epoch", "table_1.baseline.best.epoch"),
        ("table_4 dialogue monotonic rougeL", "table_4.dialogue.monotonic.evaluate.rougeL"),
        ("table 7 perplexity ratio monotonic", "table_7.evaluate.perplexity_ratio.monotonic"),
    ],
)
def test_names_and_words(paper, query, key):
    assert finding.find(query, trace.names()) == [key]


def test_printed_texts_in_the_spelling_of_page_keyboard_and_latex(paper):
    places = trace.names()
    key = "table_5.hotflip.delta_nll_per_token.monotonic"
    text = places[key].text
    assert re.fullmatch(r"\d\.\d{3} ± \d\.\d{3}", text)
    mean, sd = text.split(" ± ")
    for spelling in (text, f"{mean}±{sd}", f"{mean} +- {sd}", rf"${mean} \pm {sd}$", rf"{mean}\,+/-\,{sd}"):
        assert key in finding.find(spelling, places), spelling
    # A part of it, too; words narrow a text that stands in several places.
    assert f"{key}.mean" in finding.find(mean, places)
    assert finding.find(f"{mean} table_5 hotflip monotonic", places) == [f"{key}.mean"]
    count = places["table_7.parameters.standard"].text
    assert "," in count
    for spelling in (count, count.replace(",", ""), count.replace(",", "{,}")):
        assert "table_7.parameters.standard" in finding.find(spelling, places)


def test_minus_signs_are_one(paper):
    places = trace.names()
    key = next(key for key, place in places.items() if place.text.startswith("−") and place.part_of is None)
    wanted = finding.find(places[key].text, places)
    assert finding.find(places[key].text.replace("−", "-"), places) == wanted
    assert finding.find(places[key].text.replace("−", "$-$"), places) == wanted


def test_several_numbers_are_listed_with_the_command_to_choose_one(paper):
    output = mono("table_5.success", code=3)
    assert f"mono trace {KEY}" in output
    assert "choose one" in output
    assert KEY in json.loads(CliRunner().invoke(app, ["trace", "table_5.success", "--json"]).stdout)["candidates"]


def test_an_unknown_number_is_one_line_with_the_nearest(paper):
    output = mono("table_5.hotflip.sucess.monotonik", code=2)
    assert output.count("\n") == 1
    assert KEY in output


def test_a_p_value_draws_on_every_metric_of_its_family(paper):
    found = json.loads(mono("table_5.hotflip.delta_nll_per_token.p", "--json"))
    assert [stage["record"] for stage in found["stages"]] == ["evaluate", "uat", "hotflip"]
    # Its floor does not: that follows from the number of seeds.
    found = json.loads(mono("t5.hotflip.delta_nll.floor", "--json"))
    assert [stage["record"] for stage in found["stages"]] == ["hotflip"]


def test_a_number_of_one_run(paper):
    found = json.loads(mono("table_2.dialogue.baseline.rouge.rouge1", "--json"))
    (run,) = found["runs"]
    assert (run["seed"], list(run["records"])) == (SEEDS[0], ["evaluate"])
    assert run["file"]["path"] == found["source"]["path"]
    assert found["models"] == ["baseline"]


def test_a_difference_over_seeds_is_each_runs_difference(paper):
    found = json.loads(mono("table_5.hotflip.delta_nll_per_token.difference", "--json"))
    assert found["runs"][0]["pointers"] == [
        "/metrics/hotflip.delta_nll_per_token/monotonic",
        "/metrics/hotflip.delta_nll_per_token/baseline",
    ]
    values = [run["value"] for run in found["runs"]]
    assert found["value"] == pytest.approx(sum(values) / len(values))


def edit_value(content):
    content["metrics"]["hotflip.success"]["models"]["monotonic"]["mean"] += 0.001


def edit_final(content):
    content["metrics"]["hotflip.success"]["monotonic"] += 0.001


FINAL = f"experiment_results/{STUDY}/seed_2024/final_results.json"


@pytest.mark.parametrize(
    ("path", "edit", "says"),
    [
        (SUMMARY, edit_value, "holds another value than is printed"),
        (SUMMARY, lambda content: content.update(scale="other"), "not what paper_evidence/dvc.yaml:aggregate@"),
        (FINAL, edit_final, f"not what stages/dvc.yaml:collect@{STUDY}-2024 wrote"),
        (TABLE, lambda content: content.update(caption="Other."), "not what paper_evidence/dvc.yaml:tables wrote"),
        ("paper_evidence/provenance.json", lambda content: content.update(version="x"), "stale"),
    ],
)
def test_a_link_that_does_not_hold_is_named(paper, path, edit, says):
    change(paper / path, edit)
    found = json.loads(mono(KEY, "--json", code=1))
    assert any(line.startswith(path) and says in line for line in found["broken"]), found["broken"]
    assert "BROKEN" in mono(KEY, code=1)


def test_per_example_files_are_links_too(paper):
    path = f"experiment_results/{STUDY}/seed_42/hotflip_examples.csv"
    Path(path).write_text(Path(path).read_text().replace("0", "1", 1))
    assert json.loads(mono(KEY, "--json", code=1))["broken"] == [
        f"{path}: not what stage hotflip recorded that it wrote: run `dvc repro`"
    ]
    assert json.loads(mono("table_6.uat.success.monotonic", "--json"))["broken"] == []


def test_provenance_of_other_tables_is_called_stale(paper):
    """Tables rendered anew and locked, provenance.json left behind."""
    for name in ("value", "text"):
        assert name in json.loads(Path(TABLE).read_text())["rows"][0]["cells"][0]
    spec = paper / "paper_evidence/specs/table_5.yaml"
    spec.write_text(spec.read_text().replace("key: hotflip.success, decimals: 1", "key: hotflip.success, decimals: 3"))
    numbers.write(load_params(), paper)
    lock_paper()
    found = json.loads(mono(KEY, "--json", code=1))
    assert found["provenance_stale"] == ["its text is another"]
    assert json.loads(mono("table_5.hotflip.delta_nll_per_token.monotonic", "--json"))["provenance_stale"] == []


def test_a_copied_value_is_not_a_runs_own(paper):
    """The summary says of a seed what its file does not, both as dvc.lock has them."""
    change(
        paper / SUMMARY,
        lambda content: content["metrics"]["hotflip.success"]["models"]["monotonic"]["values"].update({"42": 0.123}),
    )
    lock = from_yaml(Path("paper_evidence/dvc.lock"))
    for item in lock["stages"][f"aggregate@{STUDY}"]["outs"]:
        item["md5"] = files.md5(Path(item["path"]))
    Path("paper_evidence/dvc.lock").write_text(to_yaml(lock))
    broken = json.loads(mono(KEY, "--json", code=1))["broken"]
    assert any("/values/42: not what" in line for line in broken), broken


def test_a_macro_is_held_against_its_line_in_numbers_tex(paper):
    key, path = "t5.hotflip.monotonic.success", Path("paper_evidence/numbers.tex")
    assert json.loads(mono(key, "--json"))["broken"] == []
    text = path.read_text()
    path.write_text(text.replace(f"{{{key}}}{{", f"{{{key}}}{{9"))
    lock_paper()
    assert json.loads(mono(key, "--json", code=1))["broken"][0] == (
        f"{path}: {key}: prints something else: run `dvc repro`"
    )


def test_without_tables_there_is_one_line(paper):
    for path in Path("paper_evidence").glob("table_*.json"):
        path.unlink()
    assert mono(KEY, code=2).startswith("error: paper_evidence: no table_*.json here")


def test_addresses_are_taken_apart():
    assert lineage.stage("headline") == lineage.Stage("headline", "headline", None, None, None)
    found = lineage.stage(f"stages/dvc.yaml:train@{STUDIES[1]}-42-monotonic")
    assert (found.name, found.study, found.seed, found.arm, found.record) == (
        *("train", STUDIES[1], 42, "monotonic"),
        "train.monotonic",
    )
    assert lineage.address("train.monotonic", STUDIES[1], 42) == found.address
    assert lineage.address("corpus", STUDY, 42) == f"stages/dvc.yaml:corpus@{STUDY}"
