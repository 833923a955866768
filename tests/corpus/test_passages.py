"""Text files: cut at blank lines and nowhere else, nothing lost, what is wrong named by file and line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mono_s2s import files
from mono_s2s.corpus import duplicates, jsonl, passages
from mono_s2s.files import BadInput
from mono_s2s.sources import JsonlFile, TextFile, TextFiles

PARAGRAPH = st.text(alphabet="ab c.\n", min_size=1, max_size=30).filter(lambda text: text.strip())
RAW = Path("data/mine")


def write(root: Path, name: str, content: bytes) -> TextFile:
    path = root / RAW / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return TextFile(path=f"{RAW.as_posix()}/{name}", field="text" if name.endswith(".jsonl") else None)


def source(*listed: TextFile, **changes) -> TextFiles:
    content = {
        "kind": "files",
        "data_seed": 1,
        "files": [file.model_dump() for file in listed],
        "passage_characters": 1,
        "validation": 2,
        "test": 3,
        "attack_optimization": 1,
        "attack_evaluation": 2,
    }
    return TextFiles.model_validate({**content, **changes})


@given(paragraphs=st.lists(PARAGRAPH, max_size=12), characters=st.integers(1, 80))
def test_passages_are_long_enough_and_hold_every_word(paragraphs, characters):
    text = "\n \n\n".join(paragraphs)
    found = passages.cut(text, characters)
    assert " ".join(found).split() == text.split()
    # White space at the ends does not count as text in the end.
    assert all(len(passage.split("\n\n")) >= 1 and passage == passage.strip() != "" for passage in found)
    if sum(map(len, paragraphs)) < characters:
        assert len(found) <= 1


def test_paragraphs_are_joined_until_a_passage_is_long_enough():
    assert passages.cut("one\ntwo\n\nthree\n \n\nfour\n\nfive", 9) == ["one\ntwo\n\nthree", "four\n\nfive"]
    # The rest is too short for a passage of its own.
    assert passages.cut("long enough\n\nshort", 9) == ["long enough\n\nshort"]
    assert passages.cut("short", 9) == ["short"]
    assert passages.cut(" \n\n \n", 9) == []


def test_line_ends_and_a_byte_order_mark_make_no_difference(tmp_path):
    plain = write(tmp_path, "a.txt", "one\ntwo\n\nthé end".encode())
    other = write(tmp_path, "b.txt", b"\xef\xbb\xbf" + "one\r\ntwo\r\n\r\nthé end".encode())
    documents = [[text.document for text in passages.read(file, 5, tmp_path)] for file in (plain, other)]
    assert documents == [["one\ntwo", "thé end"]] * 2
    assert [text.example_id for text in passages.read(other, 5, tmp_path)] == ["b-1", "b-2"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.txt",
            b"one\ntw\xf6\n",
            "data/mine/a.txt, line 2: not UTF-8 (byte 6 of the file is 0xf6): save the file as UTF-8",
        ),
        (
            "a.jsonl",
            b'{"text": "x"}\n{"text": "tw\xf6"}\n',
            "data/mine/a.jsonl, line 2: not UTF-8 (byte 26 of the file is 0xf6): save the file as UTF-8",
        ),
        ("a.txt", b" \n\n", "data/mine/a.txt: empty, not one text"),
        ("a.jsonl", b"", "data/mine/a.jsonl: empty, not one text"),
        ("a.jsonl", b'{"body": "x"}\n', "data/mine/a.jsonl, line 1: field 'text' missing (fields: body)"),
        (
            "a.jsonl",
            b'{"text": "x"}\n{"text": " "}\n',
            "data/mine/a.jsonl, line 2: field 'text' is empty: fill it in or take the line out",
        ),
    ],
)
def test_a_bad_file_is_named_in_one_line(tmp_path, name, content, message):
    file = write(tmp_path, name, content)
    with pytest.raises(BadInput) as caught:
        passages.read(file, 1, tmp_path)
    assert str(caught.value) == message


def test_documents_with_summaries_are_checked_for_utf8_too(tmp_path):
    write(tmp_path, "a.jsonl", b'{"d": "\xff", "s": "x"}\n')
    file = JsonlFile(path="data/mine/a.jsonl", document="d", references=["s"])
    with pytest.raises(BadInput, match=r"^data/mine/a\.jsonl, line 1: not UTF-8 \(byte 7 of the file is 0xff\)"):
        jsonl.read(file, tmp_path)


def test_a_missing_file_and_one_that_dvc_would_not_watch(tmp_path):
    with pytest.raises(BadInput, match=r"^data/mine/none\.txt: missing$"):
        passages.read(TextFile(path="data/mine/none.txt"), 1, tmp_path)
    (tmp_path / "a.txt").write_text("one")
    with pytest.raises(BadInput, match=r"a\.txt lies outside data/mine/, so that DVC would not see it change"):
        passages.pools(source(TextFile(path="a.txt")), RAW, tmp_path, None, 1)


@pytest.mark.parametrize(
    ("file", "field"), [("data/mine/a.jsonl", None), ("data/mine/a.txt", "text")], ids=["jsonl", "plain"]
)
def test_a_field_is_for_jsonl_and_for_nothing_else(file, field):
    with pytest.raises(ValidationError, match="needs `field`"):
        TextFile(path=file, field=field)


def test_two_files_of_one_name_are_refused():
    listed = [TextFile(path="data/mine/x/a.txt"), TextFile(path="data/mine/y/a.txt")]
    with pytest.raises(ValidationError, match="two files are called 'a'"):
        source(*listed)


def filled(tmp_path, settings: TextFiles, pretraining: int | None, words: int):
    return duplicates.fill(passages.pools(settings, RAW, tmp_path, pretraining, words))


def test_splits_take_their_numbers_and_training_the_rest(tmp_path):
    one = write(tmp_path, "a.txt", "\n\n".join(f"passage {n}" for n in range(20)).encode())
    splits, dropped = filled(tmp_path, source(one), 5, 1)
    assert {name: len(texts) for name, texts in splits.items()} == {
        "attack_evaluation": 2,
        "test_a": 3,
        "attack_optimization": 1,
        "validation": 2,
        "pretraining": 5,
        "train": 7,
    }
    assert dropped == {}
    documents = sorted(text.document for texts in splits.values() for text in texts)
    assert documents == sorted(f"passage {n}" for n in range(20))
    # A sample, not the file's first passages.
    assert {text.document for text in splits["test_a"]} != {f"passage {n}" for n in (2, 3, 4)}
    two = write(tmp_path, "b.jsonl", b'{"text": "PASSAGE  3"}\n{"text": "another"}\n')
    splits, dropped = filled(tmp_path, source(one, two), None, 1)
    assert "test_text" in splits
    assert sum(dropped.values()) == 1
    assert {text.source for texts in splits.values() for text in texts} == {"a", "b"}


def test_what_is_too_short_to_attack_stays_for_the_other_splits(tmp_path):
    texts = [f"short {n}" for n in range(9)] + [f"this one has six words {n}" for n in range(3)]
    file = write(tmp_path, "a.jsonl", b"")
    files.write_jsonl(tmp_path / file.path, [{"text": text} for text in texts])
    splits, _ = filled(tmp_path, source(file), None, 6)
    attacked = splits["attack_evaluation"] + splits["attack_optimization"]
    assert sorted(text.document for text in attacked) == texts[9:]
    assert sorted(text.document for found in splits.values() for text in found) == sorted(texts)
    with pytest.raises(BadInput, match=r"corpus\.source\.attack_optimization: .* is to take 4 documents and finds 1"):
        filled(tmp_path, source(file, attack_optimization=4), None, 6)
    with pytest.raises(BadInput, match=r"corpus\.source\.files: train is to take at least 1 documents and finds 0"):
        filled(tmp_path, source(file, test=7), None, 6)
