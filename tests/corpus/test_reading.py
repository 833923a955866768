"""Packing loses no trigger, ever; what is read is what was written."""

import json
import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_s2s import files
from mono_s2s.corpus import reading
from mono_s2s.files import BadInput

IDS = st.lists(st.integers(40, 500), max_size=90)


@pytest.fixture(scope="module")
def encoding(built):
    return reading.read_encoding(built[0])


@given(document=IDS, trigger=st.lists(st.integers(40, 500), max_size=9), reserve=st.integers(0, 9))
def test_packed_input_holds_prefix_whole_trigger_document_and_end(encoding, document, trigger, reserve):
    encoding = replace(encoding, max_input_tokens=40)
    packed = encoding.pack(document, trigger, reserve)
    start = len(encoding.prefix_ids)
    assert tuple(packed[:start]) == encoding.prefix_ids
    assert packed[start : start + len(trigger)] == trigger
    kept = packed[start + len(trigger) : -1]
    assert kept == document[: len(kept)]
    assert packed[-1] == encoding.eos_id
    assert len(packed) <= 40
    # Nothing is cut but what room for the trigger takes.
    assert len(kept) == min(len(document), 40 - start - 1 - max(len(trigger), reserve))


@given(document=IDS, trigger=st.lists(st.integers(40, 500), min_size=3, max_size=3))
def test_with_reserve_the_clean_and_the_attacked_input_hold_the_same_document(encoding, document, trigger):
    encoding = replace(encoding, max_input_tokens=40)
    start = len(encoding.prefix_ids)
    clean, attacked = encoding.pack(document, reserve=3), encoding.pack(document, trigger)
    assert attacked[:start] + attacked[start + 3 :] == clean


def test_a_trigger_that_leaves_no_room_is_an_error(encoding):
    small = replace(encoding, max_input_tokens=len(encoding.prefix_ids) + 4)
    assert len(small.pack([50, 51], trigger=[60, 61])) == small.max_input_tokens
    with pytest.raises(BadInput, match="leaves no room for the document beside a prefix of 2 tokens and 3 trigger"):
        small.pack([50, 51], trigger=[60, 61, 62])


def test_examples_and_pairs_are_packed_to_fit(built, encoding):
    data = built[0]
    for name in ("train", "test_news", "attack_evaluation"):
        for example in reading.read_split(data, name):
            assert len(encoding.pack(example.document_ids)) == len(example.document_ids) + len(encoding.prefix_ids) + 1
            assert all(ids[-1] == encoding.eos_id for ids in example.reference_ids)
            assert all(len(ids) <= encoding.max_target_tokens for ids in example.reference_ids)
            assert name != "train" or not encoding.forbidden_ids & set(example.document_ids)
            assert encoding.decode(example.document_ids) == example.document
            assert encoding.decode(example.reference_ids[0]) == example.references[0]
    for pair in reading.read_pretraining(data):
        assert len(pair.input_ids) <= encoding.max_input_tokens
        assert len(pair.target_ids) <= encoding.max_target_tokens
        assert pair.input_ids[-1] == pair.target_ids[-1] == encoding.eos_id


def test_ids_that_no_text_can_have_are_forbidden(encoding):
    rows = encoding.vocabulary + 28
    assert encoding.forbidden(rows) - encoding.forbidden_ids == set(range(encoding.vocabulary, rows))
    assert {encoding.pad_id, encoding.eos_id} <= encoding.forbidden_ids
    with pytest.raises(BadInput, match="must name the same model"):
        encoding.forbidden(encoding.vocabulary - 1)


def test_decoding_leaves_out_specials_and_unknown_rows(encoding):
    words = [encoding.prefix_ids[0], encoding.eos_id, encoding.pad_id, encoding.vocabulary + 3]
    assert encoding.decode(words) == encoding.decode(words[:1]) != ""


def test_names_of_test_sets(built, tmp_path):
    assert reading.test_sets(built[0]) == ["dialogue", "news"]
    with pytest.raises(BadInput, match=r"holds no test_<name>\.jsonl"):
        reading.test_sets(tmp_path)


def test_a_damaged_corpus_is_named(built, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(built[0], data)
    (data / "validation.jsonl").write_text("")
    with pytest.raises(BadInput, match=r"validation.jsonl: empty: run stage corpus again"):
        reading.read_split(data, "validation")
    (data / "validation.jsonl").write_text('{"document": "x"}\n')
    with pytest.raises(BadInput, match=r"validation.jsonl, line 1: has \['document'\], not"):
        reading.read_split(data, "validation")
    with pytest.raises(BadInput, match=r"test_none.jsonl: missing"):
        reading.read_split(data, "test_none")
    content = json.loads((data / "encoding.json").read_text())
    files.write_json(data / "encoding.json", {**content, "schema_version": 1})
    with pytest.raises(BadInput, match="not an encoding of schema version 2"):
        reading.read_encoding(data)
    files.write_json(data / "encoding.json", content)
    (data / "tokenizer/tokenizer.json").write_text("{}")
    with pytest.raises(BadInput, match="not a tokenizer"):
        reading.read_encoding(data)
    (data / "tokenizer/tokenizer.json").unlink()
    with pytest.raises(BadInput, match=r"tokenizer.json: missing"):
        reading.read_encoding(data)
