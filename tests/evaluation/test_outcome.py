import pytest
import standin
import torch

from mono_s2s.evaluation import outcome, rouge
from mono_s2s.files import BadInput


@pytest.fixture(scope="module")
def measured(model, examples, encoding):
    inputs = [encoding.pack(example.document_ids) for example in examples]
    return inputs, outcome.measure(model, inputs, examples, standin.DECODING, encoding, standin.COMPUTE)


def test_losses_are_of_the_first_reference_and_token_weighted(model, examples, measured):
    inputs, found = measured
    for row, example in enumerate(examples):
        target = torch.tensor([example.reference_ids[0]])
        loss = model(input_ids=torch.tensor([inputs[row]]), labels=target).loss
        assert found.nll_nats[row] == pytest.approx(loss.item() * target.shape[1], rel=1e-5)
        assert found.target_tokens[row] == target.shape[1]
    assert found.nll_per_token == pytest.approx(found.nll_nats.sum() / found.target_tokens.sum())


def test_texts_are_scored_against_all_references(examples, measured):
    _, found = measured
    wanted = rouge.score(found.predictions, [example.references for example in examples])
    assert found.rouge.tolist() == wanted.tolist()
    assert any(len(example.references) > 1 for example in examples)
    assert found.prediction_tokens == [len(text.split()) for text in found.predictions]


def test_a_row_holds_plain_numbers(measured):
    row = measured[1].row(2)
    assert row["rougeL"] == measured[1].rouge[2, 2]
    assert {type(value) for value in row.values()} == {float, int, str}


def test_nothing_to_measure_is_an_error(model, encoding):
    with pytest.raises(BadInput, match="nothing to evaluate"):
        outcome.measure(model, [], [], standin.DECODING, encoding, standin.COMPUTE)


def test_losses_are_reported_in_full_precision():
    assert outcome.full_precision(standin.COMPUTE.model_copy(update={"precision": "bf16"})) == standin.COMPUTE


def test_a_limit_takes_a_fixed_sample_in_order(corpus):
    examples = [example for part in corpus[1].values() for example in part]
    assert outcome.limited(examples, None) == outcome.limited(examples, 999) == examples
    ten = outcome.limited(examples, 10)
    assert len(ten) == 10
    assert ten == [example for example in examples if example in ten] != examples[:10]
    # A smaller sample is a part of a larger one, whatever order the file has.
    assert set(outcome.limited(examples, 4)) < set(ten)
    assert set(outcome.limited(examples[::-1], 10)) == set(ten)


def test_with_a_scoring_nothing_is_written_and_losses_are_the_same(model, examples, encoding, measured, monkeypatch):
    inputs, summaries = measured
    monkeypatch.setattr("mono_s2s.evaluation.generation.generate", None)
    found = outcome.measure(model, inputs, examples, standin.SCORING, encoding, standin.COMPUTE)
    assert type(found) is outcome.Outcome
    assert found.nll_nats.tolist() == summaries.nll_nats.tolist()
    assert found.row(1) == {key: summaries.row(1)[key] for key in ("nll_nats", "target_tokens")}
    assert found.means() == {key: summaries.means()[key] for key in ("nll_per_token", "target_tokens")}
