"""The tokenizer gives back what it was given, spares special ids, and is one that transformers loads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_s2s.corpus import tokenizer
from mono_s2s.files import BadInput
from mono_s2s.sources import TrainedTokenizer

TEXTS = ["A cat sat on a mat.", "A dog sat.\nÄ cat: 42 — naïve!", "the end"] * 5
LETTERS = "".join(sorted(set("".join(TEXTS)) - {" ", "\n"}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("tokenizer")
    tokenizer.train(TrainedTokenizer(kind="train", vocabulary=200), TEXTS, found, 64)
    return found


@pytest.fixture(scope="module")
def vocabulary(folder):
    return tokenizer.read(folder)


@given(st.text(alphabet=LETTERS + " \n", min_size=1).map(str.strip).filter(bool))
def test_text_of_known_letters_comes_back(vocabulary, text):
    ids = next(vocabulary.encode([text]))
    assert not vocabulary.forbidden_ids & set(ids)
    assert vocabulary.tokenizer.decode(ids).strip() == text


def test_unknown_letters_are_unknown_and_not_lost(vocabulary):
    ids = next(vocabulary.encode(["cat 漢 cat"]))
    assert vocabulary.tokenizer.token_to_id(tokenizer.UNKNOWN) in ids
    assert ids[0] == ids[-1]


@pytest.mark.parametrize("name", ["</s>", "<pad>", "<unk>", "<extra_id_0>"])
def test_a_special_tokens_name_in_a_text_is_plain_text(vocabulary, name):
    ids = next(vocabulary.encode([f"cat {name} sat"]))
    own = vocabulary.tokenizer.token_to_id(name)
    assert own in vocabulary.forbidden_ids
    # Letters that the texts do not have are unknown; the special id itself must not appear.
    assert name == tokenizer.UNKNOWN or own not in ids
    assert len(ids) > 4


def test_special_and_sentinel_ids_are_forbidden(vocabulary):
    assert vocabulary.pad_id != vocabulary.eos_id
    assert {vocabulary.pad_id, vocabulary.eos_id, *vocabulary.sentinel_ids} < vocabulary.forbidden_ids
    names = [vocabulary.tokenizer.id_to_token(number) for number in vocabulary.sentinel_ids]
    assert names[:2] == ["<extra_id_0>", "<extra_id_1>"]
    assert len(names) == len(tokenizer.SENTINELS)


def test_training_twice_gives_the_same_bytes(folder, tmp_path):
    tokenizer.train(TrainedTokenizer(kind="train", vocabulary=200), iter(TEXTS), tmp_path, 64)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_transformers_loads_it_and_agrees(folder, vocabulary):
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(folder)
    assert (loaded.pad_token_id, loaded.eos_token_id, len(loaded)) == (
        vocabulary.pad_id,
        vocabulary.eos_id,
        vocabulary.size,
    )
    for text, ids in zip(TEXTS[:3], vocabulary.encode(TEXTS[:3]), strict=True):
        assert loaded(text).input_ids == [*ids, vocabulary.eos_id]
        assert loaded.decode([*ids, vocabulary.eos_id], skip_special_tokens=True).strip() == text
    assert set(vocabulary.sentinel_ids) <= set(loaded.all_special_ids)


def test_a_vocabulary_too_small_for_bytes_is_an_error(tmp_path):
    with pytest.raises(BadInput, match=r"corpus\.tokenizer\.vocabulary: 40 is too small, .* alone are \d+"):
        tokenizer.train(TrainedTokenizer(kind="train", vocabulary=40), TEXTS, tmp_path, 64)


def test_a_missing_tokenizer_is_an_error(tmp_path):
    with pytest.raises(BadInput, match=r"tokenizer\.json: missing"):
        tokenizer.read(tmp_path)


def test_only_a_decoder_may_do_without_padding(hub_tokenizer, tmp_path):
    hub_tokenizer("llama", tmp_path / "hub")
    with pytest.raises(BadInput, match="the tokenizer has no padding or end-of-sequence token"):
        tokenizer.read(tmp_path / "hub")
    vocabulary = tokenizer.read(tmp_path / "hub", decoder_only=True)
    assert vocabulary.pad_id == vocabulary.eos_id != vocabulary.start_id
    (ids,) = vocabulary.encode(["I was in Oslo"])
    assert vocabulary.start_id not in ids


def test_start_is_the_end_where_a_tokenizer_has_no_beginning(vocabulary):
    assert vocabulary.start_id == vocabulary.eos_id
