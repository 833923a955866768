"""JSONL files: what is wrong is named by file and line; what is right comes in whole."""

import json
from pathlib import Path

import pytest

from mono_s2s.corpus import duplicates, jsonl
from mono_s2s.files import BadInput
from mono_s2s.sources import JsonlFile, JsonlSource

FIELDS = {"document": "text", "references": ["summary"]}


def write(root: Path, name: str, rows: list[dict]) -> str:
    path = root / "data/mine" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"data/mine/{name}"


def rows(start: int, number: int) -> list[dict]:
    return [{"text": f"document {n}", "summary": f"summary {n}"} for n in range(start, start + number)]


def source(train_file: str, test_file: str, **changes) -> JsonlSource:
    content = {
        "kind": "jsonl",
        "data_seed": 1,
        "train": [{"path": train_file, **FIELDS}],
        "validation": 3,
        "attack_optimization": 2,
        "test": {"mine": {"path": test_file, **FIELDS}},
        "attack_evaluation": 4,
    }
    return JsonlSource.model_validate({**content, **changes})


def test_several_references_ids_and_white_space(tmp_path):
    path = write(tmp_path, "a.jsonl", [{"id": 7, "d": " A text.\n", "s1": "one", "s2": " two "}])
    file = JsonlFile(path=path, document="d", references=["s1", "s2"], identifier="id")
    (text,) = jsonl.read(file, tmp_path)
    assert (text.example_id, text.source, text.document, text.references) == ("a-7", "a", "A text.", ("one", "two"))
    (text,) = jsonl.read(file.model_copy(update={"identifier": None}), tmp_path)
    assert text.example_id == "a-1"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "x", "title": "y"}, "line 2: field 'summary' missing (fields: text, title)"),
        ({"text": " \n", "summary": "y"}, "line 2: field 'text' is empty: fill it in or take the line out"),
        ({"text": "x", "summary": ""}, "line 2: field 'summary' is empty: fill it in or take the line out"),
        ({"text": ["x"], "summary": "y"}, "line 2: field 'text' is list, not text"),
        ({"text": None, "summary": "y"}, "line 2: field 'text' is NoneType, not text"),
    ],
)
def test_a_bad_line_is_named(tmp_path, row, message):
    path = write(tmp_path, "a.jsonl", [*rows(0, 1), row])
    with pytest.raises(BadInput) as caught:
        jsonl.read(JsonlFile(path=path, **FIELDS), tmp_path)
    assert str(caught.value) == f"{path}, {message}"


def test_a_file_without_lines_a_missing_one_and_a_broken_one(tmp_path):
    path = write(tmp_path, "a.jsonl", [])
    with pytest.raises(BadInput, match=r"^data/mine/a\.jsonl: empty, not one example$"):
        jsonl.read(JsonlFile(path=path, **FIELDS), tmp_path)
    with pytest.raises(BadInput, match=r"none\.jsonl: missing"):
        jsonl.read(JsonlFile(path="none.jsonl", **FIELDS), tmp_path)
    (tmp_path / path).write_text('{"text": "x", "summary": "y"}\n{"text": \n')
    with pytest.raises(BadInput, match=r"a\.jsonl, line 2: not valid JSON"):
        jsonl.read(JsonlFile(path=path, **FIELDS), tmp_path)


def test_splits_are_cut_without_overlap_and_nothing_is_lost(tmp_path):
    settings = source(write(tmp_path, "a.jsonl", rows(0, 20)), write(tmp_path, "b.jsonl", rows(100, 10)))
    splits, dropped = duplicates.fill(jsonl.pools(settings, Path("data/mine"), tmp_path))
    assert {name: len(texts) for name, texts in splits.items()} == {
        "attack_evaluation": 4,
        "test_mine": 6,
        "attack_optimization": 2,
        "validation": 3,
        "train": 15,
    }
    assert dropped == {}
    everything = sorted(text.document for texts in splits.values() for text in texts)
    assert everything == sorted(row["text"] for row in rows(0, 20) + rows(100, 10))
    # A sample, not the file's first lines.
    assert {text.document for text in splits["attack_evaluation"]} != {row["text"] for row in rows(100, 4)}


def test_a_test_document_never_stays_in_training(tmp_path):
    planted = [*rows(0, 20), {"text": "DOCUMENT  104", "summary": "another"}]
    settings = source(write(tmp_path, "a.jsonl", planted), write(tmp_path, "b.jsonl", rows(100, 10)))
    splits, dropped = duplicates.fill(jsonl.pools(settings, Path("data/mine"), tmp_path))
    kept = [text.document for name in ("train", "validation", "attack_optimization") for text in splits[name]]
    assert "DOCUMENT  104" not in kept
    assert sum(dropped.values()) == 1
    ((place, _),) = dropped.items()
    assert place.split(" copies ")[1] in ("test_mine/b", "attack_evaluation/b")


def test_attack_evaluation_draws_on_every_test_set(tmp_path):
    test = {
        name: {"path": write(tmp_path, f"{name}.jsonl", rows(start, 10)), **FIELDS}
        for name, start in (("one", 100), ("two", 200))
    }
    settings = source(write(tmp_path, "a.jsonl", rows(0, 20)), "", test=test, attack_evaluation=5)
    splits, _ = duplicates.fill(jsonl.pools(settings, Path("data/mine"), tmp_path))
    assert sorted(text.source for text in splits["attack_evaluation"]) == ["one", "one", "one", "two", "two"]
    assert (len(splits["test_one"]), len(splits["test_two"])) == (7, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"attack_evaluation": 11},
            "corpus.source.attack_evaluation: attack_evaluation is to take 11 documents and finds 10",
        ),
        ({"attack_evaluation": 10}, "corpus.source.test.mine: test_mine is to take at least 1 documents and finds 0"),
        ({"validation": 30}, "corpus.source.validation: validation is to take 30 documents and finds 18"),
        ({"validation": 18}, "corpus.source.train: train is to take at least 1 documents and finds 0"),
    ],
)
def test_a_split_that_cannot_be_filled_is_an_error(tmp_path, changes, message):
    settings = source(write(tmp_path, "a.jsonl", rows(0, 20)), write(tmp_path, "b.jsonl", rows(100, 10)), **changes)
    with pytest.raises(BadInput) as caught:
        duplicates.fill(jsonl.pools(settings, Path("data/mine"), tmp_path))
    assert str(caught.value).startswith(message)


def test_a_file_that_dvc_would_not_watch_is_refused(tmp_path):
    write(tmp_path, "b.jsonl", rows(0, 9))
    (tmp_path / "a.jsonl").write_text((tmp_path / "data/mine/b.jsonl").read_text())
    for outside in ("a.jsonl", "data/mine/../../a.jsonl"):
        with pytest.raises(BadInput, match=r"lies outside data/mine/, so that DVC would not see it change"):
            jsonl.pools(source(outside, "data/mine/b.jsonl"), Path("data/mine"), tmp_path)
