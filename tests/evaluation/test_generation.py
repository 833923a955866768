import itertools

import pytest
import standin
import torch
from transformers import GenerationConfig

from mono_s2s.evaluation import generation


def decoding(**changes):
    return standin.DECODING.model_copy(update=changes)


@pytest.fixture(scope="module")
def inputs(corpus, encoding):
    return [encoding.pack(example.document_ids) for part in corpus[1].values() for example in part]


def write(model, inputs, encoding, **changes):
    return generation.generate(model, inputs, decoding(**changes), encoding, standin.COMPUTE)


@pytest.mark.parametrize("beams", [1, 3])
def test_batched_equals_one_by_one_in_the_order_given(model, inputs, encoding, beams):
    together = write(model, inputs, encoding, beams=beams, batch_size=8)
    assert together == write(model, inputs, encoding, beams=beams, batch_size=1)
    assert together == write(model, inputs[::-1], encoding, beams=beams, batch_size=5)[::-1]
    assert len({tuple(ids) for ids in together}) > 3


def test_one_beam_is_greedy_decoding_by_hand(model, inputs, encoding):
    (found,) = write(model, inputs[:1], encoding, beams=1)
    written = [encoding.start_id]
    for _ in range(8):
        logits = model(input_ids=torch.tensor(inputs[:1]), decoder_input_ids=torch.tensor([written])).logits
        written.append(int(logits[0, -1].argmax()))
        if written[-1] == encoding.eos_id:
            break
    assert found == generation.strip(written[1:], encoding)
    assert found


def steered(end: float) -> torch.nn.Module:
    """A model that writes no specials, and the end of sequence as `end` nats say."""
    built = standin.model(1)
    head = built.lm_head.forward

    def forward(hidden):
        logits = head(hidden)
        logits[..., 1] += end
        logits[..., [0, 2, 3, *range(standin.UNUSED, standin.ROWS)]] -= 50
        return logits

    built.lm_head.forward = forward
    return built


def test_lengths_are_kept_to(inputs, encoding):
    assert {len(ids) for ids in write(steered(-50), inputs[:4], encoding, max_new_tokens=5)} == {5}
    assert {len(ids) for ids in write(steered(50), inputs[:4], encoding)} == {0}
    assert {len(ids) for ids in write(steered(50), inputs[:4], encoding, min_new_tokens=4)} == {4}


def test_no_bigram_is_repeated(inputs, encoding):
    def repeats(ids):
        grams = list(itertools.pairwise(ids))
        return len(grams) != len(set(grams))

    model = steered(-50)
    assert any(repeats(ids) for ids in write(model, inputs, encoding, max_new_tokens=16))
    assert not any(repeats(ids) for ids in write(model, inputs, encoding, max_new_tokens=16, no_repeat_ngram=2))


def test_the_checkpoints_own_settings_do_not_count(inputs, encoding):
    """The library fills what a caller leaves unset from the checkpoint: here nothing must come from it."""
    model = standin.model()
    wanted = write(model, inputs, encoding)
    own = GenerationConfig(
        num_beams=4, repetition_penalty=3.0, min_length=8, no_repeat_ngram_size=1, suppress_tokens=list(range(20, 40))
    )
    model.generation_config = own
    assert write(model, inputs, encoding) == wanted
    # They are set aside, not thrown away; and they would have made a difference.
    assert model.generation_config is own
    batch = torch.tensor(inputs[:1])
    assert model.generate(batch, max_new_tokens=8, decoder_start_token_id=0)[0].tolist()[1:] != wanted[0]


def test_settings_say_what_is_done():
    found = generation.settings(decoding(beams=4, length_penalty=1.2))
    assert found["beams"] == 4
    assert found["length_penalty"] == 1.2
    assert found["early_stopping"] is True
    assert generation.settings(decoding(beams=1))["early_stopping"] is False


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [([7, 8, 1, 9], [7, 8]), ([7, 0, 3, 2, 8], [7, 8]), ([1], []), ([], []), ([standin.VOCABULARY + 1, 7], [7])],
)
def test_strip(encoding, ids, wanted):
    assert generation.strip(ids, encoding) == wanted
