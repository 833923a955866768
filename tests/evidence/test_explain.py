"""mono explain: what DVC says of stages, told as numbers. What DVC really says is tested in tests/graph."""

import json
import subprocess
from pathlib import Path

import pytest
from studies import SEEDS, STUDIES, STUDY, append, change, to_yaml

from mono_s2s import files
from mono_s2s.evidence import (
    aggregation,
    causes,
    collection,
    comparisons,
    explain,
    history,
    ledger,
    lineage,
    numbers,
    printed,
)
from mono_s2s.params import load_params

HOTFLIP = "mono_s2s/attacks/hotflip.py"


@pytest.fixture
def asked(study):
    """Asks as `mono explain` does, with DVC's answer given."""

    def ask(status):
        params, graph = load_params(), lineage.Graph()
        everything = printed.read(graph, params)
        return explain.report(status, everything, graph, params)

    return ask


def deps(stage, found, studies=(STUDY,), seeds=SEEDS):
    return {f"stages/dvc.yaml:{stage}@{study}-{seed}": [{"changed deps": found}] for study in studies for seed in seeds}


def names(found, what=None):
    return {key for one in found["causes"] if what in (None, one["what"]) for key in one["numbers"]}


def test_nothing_is_stale_where_dvc_has_nothing_but_what_always_runs(asked):
    found = asked({"paper": ["always changed"], f"paper_evidence/dvc.yaml:aggregate@{STUDY}": ["always changed"]})
    assert (found["stale"], found["causes"], found["notes"]) == (0, [], [])
    assert explain.words(found) == [f"None of the paper's {found['numbers']} numbers is stale."]


def test_an_edited_attack_touches_its_numbers_and_what_is_corrected_with_them(asked):
    found = asked(deps("hotflip", {HOTFLIP: "modified"}))
    (cause,) = found["causes"]
    assert (cause["kind"], cause["what"], cause["change"]) == ("code", HOTFLIP, "changed")
    assert cause["stages"] == [{"stage": "hotflip", "studies": {STUDY: list(SEEDS)}}]
    of_table_5 = found["tables"]["table_5"]
    assert of_table_5["stale"] == of_table_5["of"] > 50
    # Holm's correction: one metric of the family moves, and the others' p values may.
    outside = {key for key in cause["numbers"] if key.startswith("table_") and not key.startswith("table_5")}
    assert outside == {
        "table_3.train.validation_nll_per_token.p",
        *("table_4.all.p.evaluate.rougeL", "table_4.all.p.evaluate.nll_per_token"),
        *("table_6.uat.delta_nll_per_token.p", "table_6.uat.delta_rougeL.p"),
    }
    text = "\n".join(explain.words(found))
    assert f"are stale because {HOTFLIP} changed (stage hotflip, 5 seeds of {STUDY})" in text
    assert f"{of_table_5['of']} of table 5 (all)" in text


def test_one_seeds_stage_touches_what_draws_on_that_seed(asked):
    """Tables 1 and 2 are of the leading seed alone."""
    lead = asked(deps("train", {"x.py": "modified"}, seeds=("42-baseline",)))
    other = asked(deps("train", {"x.py": "modified"}, seeds=("1337-baseline",)))
    assert lead["tables"]["table_1"] == {"stale": 5, "of": 11}
    assert lead["tables"]["table_2"]["stale"] == lead["tables"]["table_2"]["of"]
    assert other["tables"]["table_1"]["stale"] == other["tables"]["table_2"]["stale"] == 0
    assert other["tables"]["table_4"]["stale"] == other["tables"]["table_4"]["of"]


def test_what_is_upstream_of_everything_touches_a_whole_study(asked):
    found = asked({f"stages/dvc.yaml:corpus@{STUDIES[1]}": [{"changed deps": {"data/demo": "modified"}}]})
    assert {name for name, counts in found["tables"].items() if counts["stale"]} == {"table_7", "prose"}
    assert found["tables"]["table_7"]["stale"] == found["tables"]["table_7"]["of"]
    assert {key.split(".")[0] for key in names(found)} == {"table_7", "lm"}


def test_a_bare_clone_has_nothing_stale_for_being_bare(asked):
    run = f"runs/{STUDY}/seed_42"
    found = asked(
        {
            f"stages/dvc.yaml:hotflip@{STUDY}-42": [
                {"changed deps": {f"{run}/baseline/checkpoint": "deleted", f"runs/{STUDY}/corpus/data": "deleted"}},
                {
                    "changed outs": {
                        f"{run}/hotflip/results.json": "not in cache",
                        f"{run}/hotflip/record.json": "deleted",
                    }
                },
            ]
        }
    )
    assert (found["stale"], found["causes"]) == (0, [])


def test_missing_inputs_are_judged_by_the_digests_in_the_lock(asked, study):
    """A stage ran on another version of what its upstream wrote last, and neither is here."""
    path = f"runs/{STUDY}/seed_42/monotonic/checkpoint"
    content = ledger.parse(Path("stages/dvc.lock").read_text())
    for item in content["stages"][f"hotflip@{STUDY}-42"]["deps"]:
        if item["path"] == path:
            item["md5"] = "0" * 32 + ".dir"
    Path("stages/dvc.lock").write_text(to_yaml(content))
    assert asked({})["stale"] == 0
    subprocess.run(["rm", "-r", path], check=True)
    found = asked({})
    (cause,) = found["causes"]
    assert (cause["what"], cause["change"]) == (str(Path(path).parent), "was written anew by stage train")
    assert found["tables"]["table_5"]["stale"] == found["tables"]["table_5"]["of"]


def test_parameters_are_named_by_leaf_with_both_values(asked):
    lock = ledger.read_lock(Path("stages/dvc.lock"))[f"hotflip@{STUDY}-42"]
    was = lock.params["scales/demo.yaml"][f"{STUDY}.hotflip"]["flips"]
    text = Path("scales/demo.yaml").read_text()
    place = text.index("flips: ", text.index(STUDY))
    Path("scales/demo.yaml").write_text(text[:place] + text[place:].replace(f"flips: {was}", f"flips: {was + 7}", 1))
    status = deps("hotflip", {"scales/demo.yaml": {f"{STUDY}.hotflip": "modified"}})
    # Every file of the run is filed with the whole section, which is no reason of its own for any number.
    status |= deps("collect", {"scales/demo.yaml": {STUDY: "modified"}})
    found = asked(status)
    (cause,) = found["causes"]
    assert cause["what"] == f"scales/demo.yaml: {STUDY}.hotflip.flips"
    assert cause["change"] == f"{was} -> {was + 7}"
    assert [one["stage"] for one in cause["stages"]] == ["hotflip"]
    assert names(found) == names(asked(deps("hotflip", {HOTFLIP: "modified"})))


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [("confidence: 0.95", "confidence: 0.9", "range"), ("alpha: 0.05", "alpha: 0.01", "p")],
)
def test_parameters_of_the_statistics_touch_what_uses_them(asked, old, new, part):
    content = ledger.parse(Path("paper_evidence/dvc.lock").read_text())
    recorded = {"statistics": ledger.parse(Path("params.yaml").read_text())["statistics"]}
    for study in STUDIES:
        content["stages"][f"aggregate@{study}"]["params"] = {"params.yaml": recorded}
    Path("paper_evidence/dvc.lock").write_text(to_yaml(content))
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace(old, new))
    reasons = [{"changed deps": {"params.yaml": {"statistics": "modified"}}}, "always changed"]
    found = asked({f"paper_evidence/dvc.yaml:aggregate@{study}": reasons for study in STUDIES})
    (cause,) = found["causes"]
    assert cause["change"] == f"{old.split()[1]} -> {new.split()[1]}"
    everything = {number.key for number in printed.read(lineage.Graph(), load_params())}
    of_many_seeds = {
        key for key in everything if key.startswith(("table_3", "table_4", "table_5", "table_6", "table_7"))
    }
    assert names(found) & of_many_seeds == {key for key in of_many_seeds if part in key.split(".")}
    assert not {key for key in names(found) if key.startswith(("table_1", "table_2"))}


def test_a_caption_makes_no_number_stale_and_a_format_its_own(asked):
    status = {"paper_evidence/dvc.yaml:tables": [{"changed deps": {"stages/tables.py": "modified"}}]}
    spec = Path("paper_evidence/specs/table_5.yaml")
    before = spec.read_text()
    lock = ledger.parse(Path("paper_evidence/dvc.lock").read_text())
    lock["stages"]["tables"] = {"cmd": "python -m stages.tables", "deps": [], "outs": []}
    Path("paper_evidence/dvc.lock").write_text(to_yaml(lock))
    spec.write_text(before.replace("caption: ", "caption: New "))
    found = asked(status)
    assert (found["stale"], [one["what"] for one in found["causes"]]) == (0, ["stages/tables.py"])
    assert "Would run again without a change to any number:" in explain.words(found)
    spec.write_text(before.replace("key: hotflip.success, decimals: 1", "key: hotflip.success, decimals: 2"))
    found = asked(status)
    assert names(found) == {
        key for key in names(asked(deps("hotflip", {HOTFLIP: "modified"}))) if key.startswith("table_5.hotflip.success")
    } - {"table_5.hotflip.success.p"}
    spec.write_text(before.replace("id: table_5", "id: table 5"))
    found = asked(status)
    assert found["stale"] == found["numbers"]
    assert any("cannot be rendered" in note and "table_5.yaml" in note for note in found["notes"])


def test_an_edited_result_touches_what_draws_on_it(asked):
    path = f"experiment_results/{STUDY}/seed_1337/uat_results.json"
    append(path, "\n")
    found = asked({f"stages/dvc.yaml:collect@{STUDY}-1337": [{"changed outs": {path: "modified"}}]})
    (cause,) = found["causes"]
    assert cause["change"] == "was changed after stage collect wrote it"
    assert found["tables"]["table_6"]["stale"] == found["tables"]["table_6"]["of"]
    assert found["tables"]["table_2"]["stale"] == 0
    # metadata.json holds no printed number.
    path = path.replace("uat_results", "metadata")
    assert asked({f"stages/dvc.yaml:collect@{STUDY}-1337": [{"changed outs": {path: "modified"}}]})["stale"] == 0


def test_an_edited_summary_touches_the_numbers_that_it_no_longer_holds(asked):
    path = f"experiment_results/{STUDY}/aggregated/all_seeds_summary.json"

    def edit(content):
        content["metrics"]["hotflip.success"]["models"]["monotonic"]["mean"] += 1

    change(Path(path), edit)
    found = asked({f"paper_evidence/dvc.yaml:aggregate@{STUDY}": [{"changed outs": {path: "modified"}}]})
    assert {key for key in names(found) if key.startswith("table_")} == {"table_5.hotflip.success.monotonic"}


def test_macros_edited_by_hand_or_left_behind_are_stale(asked):
    """numbers.tex holds another number than the results do: of a cell, a declared number, a part of one."""
    path = Path("paper_evidence/numbers.tex")
    lock = ledger.parse(Path("paper_evidence/dvc.lock").read_text())
    lock["stages"]["tables"] = {"cmd": "python -m stages.tables", "deps": [], "outs": []}
    Path("paper_evidence/dvc.lock").write_text(to_yaml(lock))
    edited = {"table_5.hotflip.success.monotonic", "t5.hotflip.monotonic.success", "lm.clean.monotonic.nll.mean"}
    lines = []
    for line in path.read_text().splitlines():
        key = line.split("{", 2)[1].partition("}")[0] if line.startswith("\\") else None
        lines.append(line.replace("}{", "}{9", 1) if key in edited else line)
    path.write_text("\n".join([*lines, ""]))
    found = asked({"paper_evidence/dvc.yaml:tables": [{"changed outs": {path.as_posix(): "modified"}}]})
    assert names(found) == {key.removesuffix(".mean") for key in edited}


def test_a_lost_run_is_told_once(asked):
    folder = Path(f"experiment_results/{STUDY}/seed_1337")
    outs = [path.as_posix() for path in folder.iterdir()]
    subprocess.run(["rm", "-r", folder], check=True)
    status = {
        f"stages/dvc.yaml:collect@{STUDY}-1337": [{"changed outs": dict.fromkeys(outs, "deleted")}],
        f"paper_evidence/dvc.yaml:aggregate@{STUDY}": [{"changed deps": {folder.as_posix(): "deleted"}}],
    }
    found = asked(status)
    assert [(one["what"], one["change"]) for one in found["causes"]] == [(folder.as_posix(), "is missing")]
    assert found["tables"]["table_5"]["stale"] == found["tables"]["table_5"]["of"]
    assert found["tables"]["table_1"]["stale"] == found["tables"]["table_7"]["stale"] == 0


def test_a_seed_that_has_not_run_is_told_once(asked):
    status = {}
    for stage in ("uat", "hotflip", "collect"):
        status |= deps(stage, {HOTFLIP: "modified", "runs/x": "deleted"}, STUDIES, (777,))
    found = asked(status)
    assert [(one["what"], one["numbers"]) for one in found["causes"]] == [("seed 777", [])]
    assert found["stale"] == 0


# What of a run's files each stage's numbers come from.
RESULTS = {
    "train.baseline": "baseline_training.json",
    "train.monotonic": "monotonic_training.json",
    "evaluate": "evaluation_results.json",
    "uat": "uat_results.json",
    "hotflip": "hotflip_results.json",
}


def shaken(value):
    """Every float moved a little, so that every number made from them moves; shares stay shares."""
    if isinstance(value, dict):
        return {key: part if key == "share" else shaken(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shaken(part) for part in value]
    return value * 0.93 if isinstance(value, float) else value


@pytest.mark.parametrize("record", RESULTS)
def test_told_are_all_numbers_that_another_result_changes(asked, study, record, monkeypatch):
    """Held against the arithmetic itself: results of one stage moved, everything added up and rendered again."""
    # The results move and their examples stay, which is refused otherwise.
    monkeypatch.setattr(comparisons, "_agree", lambda *_: None)
    stage, _, arm = record.partition(".")
    of_seeds = [f"{seed}-{arm}" if arm else seed for seed in SEEDS]
    params, everything = load_params(), set()
    for name in STUDIES:
        before = printed.read(lineage.Graph(), params)
        told = names(asked(deps(stage, {"x.py": "modified"}, (name,), of_seeds)))
        for place, seed in enumerate(SEEDS):
            folder = study / f"experiment_results/{name}/seed_{seed}"
            content = json.loads((folder / RESULTS[record]).read_text())
            # Not all seeds alike, so that spreads move as well.
            for _ in range(place + 1):
                content = shaken(content)
            (folder / RESULTS[record]).write_text(files.to_json(content))
            run = collection.read(name, seed, {file: folder / file for file in collection.COPIED})
            (folder / "final_results.json").write_text(files.to_json(collection.final(run)))
        aggregation.aggregate(name, params, study)
        again = numbers.keys()
        changed = {number.key for number in before if again[number.key].value != number.place.value}
        assert changed <= told, sorted(changed - told)
        everything |= changed
        # For the second study, whose numbers are told apart from these.
        numbers.write(params)
    assert len(everything) > 10


def test_a_changed_file_in_a_folder_is_named_where_git_can_prove_it(tmp_path):
    def git(*arguments):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)

    folder = tmp_path / "data/toy"
    folder.mkdir(parents=True)
    for name in ("a.txt", "b/c.txt", "d.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    md5 = files.md5(folder)
    git("init", "-q")
    git("config", "user.name", "tester")
    git("config", "user.email", "tester@example.org")
    git("add", "-A")
    git("commit", "-qm", "first")
    assert history.changed("data/toy", md5, tmp_path) == []
    (folder / "b/c.txt").write_text("other")
    (folder / "d.txt").unlink()
    (folder / "e.txt").write_text("new")
    wanted = ["data/toy/b/c.txt", "data/toy/d.txt", "data/toy/e.txt"]
    assert history.changed("data/toy", md5, tmp_path) == wanted
    git("add", "-A")
    git("commit", "-qm", "second")
    assert history.changed("data/toy", md5, tmp_path) == wanted
    assert history.changed("data/toy", "0" * 32 + ".dir", tmp_path) == ["data/toy"]


def test_a_folder_that_dvc_cannot_read_is_one_line(tmp_path):
    with pytest.raises(files.BadInput, match=r"^dvc\.yaml: not here"):
        causes.Status(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(files.BadInput, match=r"^dvc status: .*mend that") as error:
        causes.Status(tmp_path).read()
    assert "\n" not in str(error.value)
