"""Losses of single examples, against sums done by hand and against the model's own loss."""

import math

import learnable
import numpy as np
import pytest
import standin
import torch

from mono_s2s.attacks import gradients
from mono_s2s.models import architectures, batches, losses


@pytest.fixture(scope="module")
def model():
    return standin.model(rows=standin.VOCABULARY)


@pytest.fixture(scope="module", params=["gpt_neox", "llama"])
def decoder(request, text_encoding):
    """A decoder-only model that hears its input."""
    return architectures.build(learnable.SCRATCHES[request.param], text_encoding).eval().requires_grad_(False)


def continuations(count):
    """Contexts and continuations of different lengths."""
    random = np.random.default_rng(0)
    lengths = zip(random.integers(3, 12, count), random.integers(1, 6, count), strict=True)
    made = [([1, *standin.document(random, one)], standin.document(random, other)) for one, other in lengths]
    return [ids for ids, _ in made], [ids for _, ids in made]


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


def test_a_decoder_is_scored_on_its_continuation_alone(decoder, text_encoding):
    """Against a log-softmax by hand over the whole sequence."""
    inputs, targets = continuations(6)
    nats, tokens = losses.nll(decoder, inputs, targets, text_encoding, standin.COMPUTE, 3)
    for number, (ids, target) in enumerate(zip(inputs, targets, strict=True)):
        with torch.no_grad():
            scores = decoder(torch.tensor([[*ids, *target]])).logits[0].double().log_softmax(dim=-1)
        by_hand = -sum(scores[len(ids) - 1 + place, token].item() for place, token in enumerate(target))
        assert nats[number] == pytest.approx(by_hand, rel=1e-5)
        assert tokens[number] == len(target)


def test_padding_changes_no_decoder_s_loss(decoder, text_encoding):
    inputs, targets = continuations(7)
    together, tokens = losses.nll(decoder, inputs, targets, text_encoding, standin.COMPUTE, 7)
    one_by_one, same = losses.nll(decoder, inputs, targets, text_encoding, standin.COMPUTE, 1)
    assert len({len(ids) for ids in inputs}) > 3
    assert len({round(value, 3) for value in together}) == 7
    np.testing.assert_allclose(together, one_by_one, rtol=1e-5)
    assert tokens.tolist() == same.tolist()


def test_a_decoder_s_gradients_stand_at_the_indices_of_its_input(decoder, text_encoding):
    """Attacks write at indices of the packed input: a gradient there must be the change that writing there makes."""
    inputs, targets = continuations(4)
    slopes, _ = gradients.embedding_gradients(decoder, inputs, targets, text_encoding, standin.COMPUTE)
    batch = batches.collate(inputs, targets, text_encoding, "cpu")
    embeddings = decoder.get_input_embeddings()(batch.pop("input_ids"))

    def loss(row, index, change):
        changed = embeddings.clone()
        changed[row, index] += change
        batch_of_embeddings = batch | {"inputs_embeds": changed}
        return losses.per_example(losses.logits(decoder, batch_of_embeddings, text_encoding), batch["labels"])[0][row]

    for row, ids in enumerate(inputs):
        for index in range(len(ids)):
            rise = (loss(row, index, 3e-3) - loss(row, index, -3e-3)).item() / 6e-3
            assert rise == pytest.approx(slopes[row, index].sum().item(), rel=0.02, abs=0.01)
        # What stands behind the last token that is read changes nothing.
        assert slopes[row, len(ids) + len(targets[row]) - 1 :].abs().sum() == 0
    assert slopes.abs().sum(dim=2)[:, 0].min() > 0.1


@pytest.mark.parametrize("kind", ["gpt_neox", "llama"])
def test_only_scored_positions_meet_the_output_matrix(kind, text_encoding):
    made = architectures.build(learnable.SCRATCHES[kind], text_encoding).eval()
    seen = []
    made.get_output_embeddings().register_forward_hook(lambda _, given, __: seen.append(given[0].shape[1]))
    losses.nll(made, [[1, *[7] * 15], [1, *[8] * 13]], [[9, 9], [10]], text_encoding, standin.COMPUTE, 2)
    assert seen == [18 - 14]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_many_logits_are_taken_in_parts_with_the_same_bits(kind, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(3, 7, 50, generator=generator, dtype=torch.float32).to(kind)
    labels = torch.randint(0, 50, (3, 7), generator=generator)
    labels[1, 4:] = -100

    def computed():
        given = start.clone().requires_grad_(True)
        nats, tokens = losses.per_example(given, labels)
        (slopes,) = torch.autograd.grad((nats * torch.tensor([1.0, 0.5, 2.0])).sum(), given)
        return nats.detach(), tokens, slopes

    whole = computed()
    parts = []
    real = losses._cross_entropy
    monkeypatch.setattr(losses, "_cross_entropy", lambda *given: parts.append(len(given[0])) or real(*given))
    monkeypatch.setattr(losses, "ENTRIES", 4 * 50)
    in_parts = computed()
    # 21 rows, four at a time, once more for the gradients.
    assert sorted(parts) == [1] * 2 + [4] * 10
    assert all(torch.equal(one, other) for one, other in zip(whole, in_parts, strict=True))
