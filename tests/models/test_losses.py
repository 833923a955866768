"""Losses of single examples, against sums done by hand and against the model's own loss."""

import math

import learnable
import numpy as np
import pytest
import standin
import torch

from mono_s2s.models import batches, losses


@pytest.fixture(scope="module")
def model():
    return standin.model(rows=standin.VOCABULARY)


def test_a_sum_by_hand():
    logits = torch.log(torch.tensor([[[0.5, 0.5], [0.25, 0.75]], [[0.125, 0.875], [0.5, 0.5]]]))
    nats, tokens = losses.per_example(logits, torch.tensor([[0, 1], [0, -100]]))
    assert nats.tolist() == pytest.approx([-math.log(0.5) - math.log(0.75), -math.log(0.125)])
    assert tokens.tolist() == [2, 1]


def test_the_loss_is_fp32_and_carries_gradients():
    logits = torch.randn(2, 3, 5, dtype=torch.bfloat16, requires_grad=True)
    nats, _ = losses.per_example(logits, torch.tensor([[0, 1, 2], [4, -100, -100]]))
    assert nats.dtype == torch.float32
    nats[1].backward()
    assert logits.grad[1, 0].abs().sum() > 0
    assert logits.grad[0].abs().sum() == 0
    assert logits.grad[1, 1:].abs().sum() == 0


def test_it_agrees_with_the_model_s_own_loss(model, encoding):
    """transformers' loss is the mean over all tokens of a batch."""
    pairs = learnable.pairs(7)
    inputs, targets = [pair.input_ids for pair in pairs], [pair.target_ids for pair in pairs]
    nats, tokens = losses.nll(model, inputs, targets, encoding, standin.COMPUTE, 3)
    own = model(**batches.collate(inputs, targets, encoding, "cpu")).loss.item()
    assert nats.sum() / tokens.sum() == pytest.approx(own, rel=1e-5)
    assert tokens.tolist() == [len(target) for target in targets]


def test_an_example_s_loss_depends_on_neither_its_place_nor_its_company(model, encoding):
    pairs = learnable.pairs(9)
    inputs, targets = [pair.input_ids for pair in pairs], [pair.target_ids for pair in pairs]
    alone = np.array(
        [
            losses.nll(model, [one], [other], encoding, standin.COMPUTE, 1)[0][0]
            for one, other in zip(inputs, targets, strict=True)
        ]
    )
    together, _ = losses.nll(model, inputs, targets, encoding, standin.COMPUTE, 4)
    backwards, _ = losses.nll(model, inputs[::-1], targets[::-1], encoding, standin.COMPUTE, 4)
    assert len({round(value, 3) for value in alone}) == 9
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    np.testing.assert_allclose(backwards[::-1], alone, rtol=1e-5)


def test_embeddings_stand_for_ids(model, encoding):
    batch = batches.collate([[4, 5, 7, 1]], [[7, 1]], encoding, "cpu")
    embedded = {**batch, "inputs_embeds": model.get_input_embeddings()(batch["input_ids"])}
    del embedded["input_ids"]
    torch.testing.assert_close(losses.logits(model, embedded, encoding), losses.logits(model, batch, encoding))


def test_nll_leaves_no_gradients_and_the_mode_alone(encoding):
    model = standin.model().requires_grad_(True).train()
    losses.nll(model, [[4, 1]], [[7, 1]], encoding, standin.COMPUTE, 1)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
