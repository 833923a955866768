import pytest
import standin
import torch
from transformers import GPTNeoXConfig, T5Config

from mono_s2s.attacks import gradients
from mono_s2s.models import losses
from mono_s2s.models.batches import collate


@pytest.fixture(scope="module")
def batch(examples, encoding):
    return [encoding.pack(example.document_ids) for example in examples[:4]], [
        example.reference_ids[0] for example in examples[:4]
    ]


def test_gradients_of_a_batch_are_those_of_its_examples(model, batch, encoding):
    inputs, targets = batch
    table, nats = gradients.embedding_gradients(model, inputs, targets, encoding, standin.COMPUTE)
    # A decoder-only model reads its target behind its input, but for the last token.
    joint = encoding.architecture == "decoder-only"
    widths = [len(ids) + joint * (len(target) - 1) for ids, target in zip(inputs, targets, strict=True)]
    assert table.shape == (4, max(widths), 16)
    assert table.abs().max() > 1e-3
    for row, (ids, target) in enumerate(zip(inputs, targets, strict=True)):
        alone, loss = gradients.embedding_gradients(model, [ids], [target], encoding, standin.COMPUTE)
        torch.testing.assert_close(table[row, : widths[row]], alone[0], rtol=1e-3, atol=1e-5)
        assert table[row, widths[row] :].abs().sum() == 0
        assert len(ids) == widths[row] or table[row, len(ids) : widths[row]].abs().sum() > 0
        torch.testing.assert_close(nats[row], loss[0])
    assert all(weight.grad is None for weight in model.parameters())


def test_first_order_scores_are_the_slope_of_the_exact_loss(model, batch, encoding):
    """The loss along the way from one embedding to another starts with the estimated slope."""
    inputs, targets = batch
    table, _ = gradients.embedding_gradients(model, inputs[:1], targets[:1], encoding, standin.COMPUTE)
    weight = model.get_input_embeddings().weight
    place, new = 4, 30
    current = torch.tensor([inputs[0][place]])
    values, tokens = gradients.best_tokens(table[0, [place]], current, weight, torch.arange(4, 44), 40)
    estimate = values[0][tokens[0] == new].item()

    def loss(share):
        one = collate(inputs[:1], targets[:1], encoding, "cpu")
        embeddings = model.get_input_embeddings()(one.pop("input_ids")).clone()
        embeddings[0, place] += share * (weight[new] - weight[current[0]])
        nats, _ = losses.per_example(losses.logits(model, one | {"inputs_embeds": embeddings}, encoding), one["labels"])
        return nats.item()

    slope = (loss(0.001) - loss(-0.001)) / 0.002
    assert abs(estimate) > 1e-3
    assert estimate == pytest.approx(slope, rel=0.05, abs=1e-3)


def test_best_tokens_equal_a_brute_force_ranking(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(7, 5, generator=generator)
    weight = torch.randn(20, 5, generator=generator)
    current = torch.tensor([3, 4, 5, 6, 0, 19, 4])
    allowed = torch.tensor([3, 4, 5, 6, 7, 11, 12, 18])
    values, tokens = gradients.best_tokens(table, current, weight, allowed, 4)
    for row in range(7):
        scores = {
            token: float(table[row] @ (weight[token] - weight[current[row]]))
            for token in allowed.tolist()
            if token != current[row]
        }
        ranked = sorted(scores, key=scores.get, reverse=True)[:4]
        assert tokens[row].tolist() == ranked
        assert values[row].tolist() == pytest.approx([scores[token] for token in ranked], rel=1e-4, abs=1e-5)
    # In pieces of one position at a time, the same.
    monkeypatch.setattr(gradients, "TABLE", 8)
    again = gradients.best_tokens(table, current, weight, allowed, 4)
    torch.testing.assert_close(again[0], values)
    assert torch.equal(again[1], tokens)


def test_the_current_token_is_never_among_finite_candidates():
    values, tokens = gradients.best_tokens(
        torch.ones(1, 2), torch.tensor([1]), torch.randn(3, 2), torch.tensor([0, 1, 2]), 9
    )
    assert values.shape == (1, 3)
    assert tokens[0, values[0] == float("-inf")].tolist() == [1]


def test_exact_losses_do_not_depend_on_the_batch(model, batch, encoding):
    inputs, targets = batch
    together = gradients.exact(model, inputs, targets, encoding, standin.COMPUTE, 4)
    alone = gradients.exact(model, inputs, targets, encoding, standin.COMPUTE, 1)
    torch.testing.assert_close(together, alone)
    assert len(set(together.tolist())) == 4


def test_rounding_is_no_rise():
    assert gradients.rises(2.0001, 2.0)
    assert not gradients.rises(2.0000001, 2.0)
    assert not gradients.rises(1.0, 2.0)


def test_a_gpu_takes_long_inputs_in_parts_that_add_up_to_the_whole(model, batch, encoding):
    inputs, targets = batch
    whole, nats = gradients.embedding_gradients(model, inputs, targets, encoding, standin.COMPUTE)
    table, parted = gradients._in_parts(model, inputs, targets, encoding, standin.COMPUTE, 3)
    torch.testing.assert_close(table, whole, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(parted, nats)


def test_how_much_a_gpu_takes_follows_from_the_attention_scores():
    pythia = GPTNeoXConfig(num_attention_heads=16, num_hidden_layers=24)
    assert gradients.rows_at_once(pythia, 2048, differentiated=False) == 32
    assert gradients.rows_at_once(pythia, 2048, differentiated=True) == 1
    assert gradients.rows_at_once(pythia, 64, differentiated=True) == 1365
    small = T5Config(num_heads=8, num_layers=6)
    assert gradients.rows_at_once(small, 512, differentiated=False) == 1024
