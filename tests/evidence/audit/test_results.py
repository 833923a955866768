"""Folders of results of any schema."""

import json
from decimal import Decimal

import pytest
from papers import published

from mono_s2s.evidence.audit import results
from mono_s2s.files import BadInput


def leaves(run, file):
    return {leaf.pointer: leaf.value for leaf in run.files[file] if not leaf.length}


def test_numbers_keep_their_digits_and_their_pointers(tmp_path):
    (tmp_path / "a.json").write_text(
        '{"x": {"y/z": [0.1, {"model": "big", "loss": 1e-3}]}, "s": "63.5%", "t": "text", "b": true}'
    )
    (tmp_path / "b.csv").write_text("model,loss\nsmall,0.25\nbig,3\n")
    [run] = results.discover([tmp_path])
    assert leaves(run, "a.json") == {
        "/x/y~1z/0": Decimal("0.1"),
        "/x/y~1z/1/loss": Decimal("0.001"),
        "/s": Decimal("63.5"),
    }
    assert leaves(run, "b.csv") == {"/0/loss": Decimal("0.25"), "/1/loss": Decimal(3)}
    assert [leaf.keys for leaf in run.files["b.csv"] if not leaf.length] == [("small", "loss"), ("big", "loss")]


def test_what_is_not_finite_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"min_weight": Infinity, "max_weight": -Infinity, "mean": NaN, "fine": 1.5}')
    (tmp_path / "b.csv").write_text("loss\nnan\n1.5\n")
    [run] = results.discover([tmp_path])
    assert run.non_finite == [
        "a.json: /min_weight is Infinity",
        "a.json: /max_weight is -Infinity",
        "a.json: /mean is NaN",
        "b.csv: /0/loss is NaN",
    ]
    assert leaves(run, "a.json") == {"/fine": Decimal("1.5")}


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"half": ')
    (tmp_path / "b.csv").write_text("a,b\n1\n")
    (tmp_path / "c.json").write_text('{"x": 1.5}')
    (tmp_path / "d.txt").write_text("text")
    [run] = results.discover([tmp_path])
    assert [line.split(":")[0] for line in run.unreadable] == ["a.json", "b.csv"]
    assert (list(run.files), run.other) == (["c.json"], ["d.txt"])


def test_runs_are_found_by_their_names(tmp_path):
    for name in ("study/seed_1/evaluation/a.json", "study/seed_2/evaluation/a.json", "study/all/b.json", "index.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('{"x": 1}')
    runs = {run.name.removeprefix(tmp_path.as_posix()): list(run.files) for run in results.discover([tmp_path])}
    assert runs == {
        "": ["index.json"],
        "/study/all": ["b.json"],
        "/study/seed_1": ["evaluation/a.json"],
        "/study/seed_2": ["evaluation/a.json"],
    }


def test_long_lists_are_data(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"losses": [0.5] * 100, "few": [0.5, 0.25]}))
    [run] = results.discover([tmp_path])
    assert leaves(run, "a.json") == {"/few/0": Decimal("0.5"), "/few/1": Decimal("0.25")}
    assert {leaf.pointer: leaf.value for leaf in run.files["a.json"] if leaf.length} == {"/losses": 100, "/few": 2}


def test_folders_without_results_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no JSON or CSV file"):
        results.discover([tmp_path])
    with pytest.raises(BadInput, match="no such folder"):
        results.discover([tmp_path / "nowhere"])


def test_the_published_folders_differ_and_it_is_said_how():
    folder = published()
    runs = results.discover([folder])
    assert [run.name.rpartition("/")[2] for run in runs] == ["hpc", "lambda_seed_42"]
    said = [line.replace(folder.as_posix() + "/", "") for line in results.differences(runs)]
    assert "uat_results.json: missing in hpc; lambda_seed_42 has it" in said
    assert "final_results.json: missing in hpc; lambda_seed_42 has it" in said
    assert any(
        line.startswith("hpc/baseline_training_history.json: lacks /hyperparameters/batch_size") for line in said
    )
    assert any(line.startswith("lambda_seed_42/data_statistics.json: lacks /_metadata/") for line in said)
    assert all(run.unreadable == [] for run in runs)
