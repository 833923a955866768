"""Padding, masks, labels, and batches of similar lengths."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mono_s2s.files import BadInput
from mono_s2s.models import batches


def test_a_batch_is_padded_to_its_own_longest_sequence(encoding):
    batch = batches.collate([[4, 5, 7, 1], [4, 1]], [[7, 1], [8, 9, 1]], encoding, "cpu")
    assert batch["input_ids"].tolist() == [[4, 5, 7, 1], [4, 1, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[7, 1, -100], [8, 9, 1]]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_without_targets_there_are_no_labels(encoding):
    assert set(batches.collate([[4, 1]], None, encoding, "cpu")) == {"input_ids", "attention_mask"}


def test_a_padding_id_inside_an_input_stays_visible(encoding):
    batch = batches.collate([[4, 0, 7, 1], [4, 1]], None, encoding, "cpu")
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_a_width_is_kept_where_it_is_more_than_needed(encoding):
    batch = batches.collate([[4, 1]], [[1]], encoding, "cpu", input_width=6, target_width=3)
    assert batch["input_ids"].shape == (1, 6)
    assert batch["labels"].shape == (1, 3)


def test_a_decoder_reads_input_and_target_as_one_sequence(text_encoding):
    batch = batches.collate([[1, 5, 6], [1, 7], [1, 5, 6, 9, 9]], [[10], [11, 12, 13], [14]], text_encoding, "cpu")
    assert batch["input_ids"].tolist() == [[1, 5, 6, 0, 0], [1, 7, 11, 12, 0], [1, 5, 6, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    # The last four positions; the shortest input's last token stands at the first of them and predicts 11.
    assert batch["labels"].tolist() == [[-100, 10, -100, -100], [11, 12, 13, -100], [-100, -100, -100, 14]]


def test_a_block_is_predicted_from_its_first_token_on(text_encoding):
    batch = batches.collate([[1], [1]], [[5, 6, 7], [8, 9, 10]], text_encoding, "cpu")
    assert batch["input_ids"].tolist() == [[1, 5, 6], [1, 8, 9]]
    assert batch["labels"].tolist() == [[5, 6, 7], [8, 9, 10]]


def test_a_decoder_s_width_is_that_of_its_sequences(text_encoding):
    batch = batches.collate([[1, 5]], [[6]], text_encoding, "cpu", input_width=4, target_width=3)
    assert batch["input_ids"].tolist() == [[1, 5, 0, 0, 0, 0]]
    assert batch["labels"].tolist() == [[6, -100, -100, -100, -100]]


def test_a_decoder_without_targets_is_an_error(text_encoding):
    with pytest.raises(BadInput, match="only an encoder-decoder model generates"):
        batches.collate([[1, 5]], None, text_encoding, "cpu")


@pytest.mark.parametrize(("inputs", "targets"), [([], []), ([[4, 1], []], [[1], [1]]), ([[4, 1]], [[]])])
def test_empty_batches_and_sequences_are_errors(inputs, targets, encoding, text_encoding):
    for known in (encoding, text_encoding):
        with pytest.raises(BadInput, match="no sequence or an empty one"):
            batches.collate(inputs, targets, known, "cpu")


def test_targets_must_match_inputs(encoding):
    with pytest.raises(BadInput, match="2 inputs with 1 targets"):
        batches.collate([[4, 1], [4, 1]], [[1]], encoding, "cpu")


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 9))
def test_batches_by_length_hold_every_index_once_and_lengths_rise(lengths, size):
    made = batches.by_length(lengths, size)
    flat = [index for batch in made for index in batch]
    assert sorted(flat) == list(range(len(lengths)))
    assert [(lengths[i], i) for i in flat] == sorted((length, i) for i, length in enumerate(lengths))
    assert all(len(batch) == size for batch in made[:-1])
