"""What attacks on language models must keep to: they write into the context, and what is scored is what they left."""

import dataclasses

import pytest
import standin
import torch

from mono_s2s.attacks import comparing_hotflip, comparing_uat, gradients, hotflip, uat
from mono_s2s.attacks.space import space
from mono_s2s.files import BadInput
from mono_s2s.models import batches, losses

START = 1


pytestmark = pytest.mark.parametrize(
    "kind", [standin.KINDS[standin.TEXT_STUDY]], ids=[standin.TEXT_STUDY], indirect=True
)


def by_hand(model, packed, continuation):
    """Nats of a continuation behind a packed input: one sequence, one log-softmax a token."""
    logits = model(input_ids=torch.tensor([[*packed, *continuation]])).logits[0].double()
    shares = torch.log_softmax(logits, dim=1)
    return -sum(shares[len(packed) + place - 1, token].item() for place, token in enumerate(continuation))


def flips(row):
    changes = [change.replace(">", ":").split(":") for change in row["changes"].split()]
    return {int(place): int(new) for place, _, new in changes}


@pytest.fixture(scope="module")
def seen():
    """Every (input, target) that went through a model."""
    return []


@pytest.fixture(scope="module")
def attacked(kind, model, examples, optimization, encoding, seen):
    """Both attacks on one model, with all that its batches were made of."""

    def collate(inputs, targets, *rest, **options):
        seen.extend((tuple(ids), tuple(target)) for ids, target in zip(inputs, targets, strict=True))
        return batches.collate(inputs, targets, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        for module in (losses, gradients):
            patch.setattr(module, "collate", collate)
        models = {"baseline": model}
        flipped = comparing_hotflip.under_hotflip(
            models, examples, kind.hotflip, kind.decoding, encoding, standin.COMPUTE, seed=3
        )
        triggered = comparing_uat.under_triggers(
            models, optimization, examples, kind.uat, kind.decoding, encoding, standin.COMPUTE, seed=3
        )
    return flipped, triggered


def test_start_and_continuation_are_never_touched(attacked, seen, examples, optimization, encoding):
    """In no input that any search, control or measurement made."""
    owners = {tuple(example.reference_ids[0]): example for example in [*examples, *optimization]}
    assert len(owners) == 20
    changed = 0
    for ids, target in seen:
        clean = encoding.pack(owners[target].document_ids)
        reserved = encoding.pack(owners[target].document_ids, reserve=3)
        assert ids[0] == START
        # Flipped, or with a trigger of three, or clean with room for it; the specials of the tokenizer nowhere else.
        assert len(ids) in {len(clean), len(reserved), len(reserved) + 3}
        assert not set(ids[1:]) & encoding.forbidden_ids
        changed += list(ids) not in (clean, reserved)
    assert changed > 1000


def test_every_condition_scores_the_same_tokens(attacked, examples):
    for content, rows in attacked:
        assert {row["target_tokens"] for row in rows} == {standin.CONTINUATION}
        conditions = content["models"]["baseline"]["conditions"]
        assert {part["target_tokens"] for part in conditions.values()} == {standin.CONTINUATION * len(examples)}


def test_reported_losses_are_log_softmaxes_over_the_continuation(attacked, model, examples, encoding):
    (_, flipped), (content, triggered) = attacked
    known = {example.example_id: example for example in examples}
    compared = 0
    for row in flipped:
        example = known[row["example_id"]]
        packed = encoding.pack(example.document_ids)
        for place, new in flips(row).items():
            packed[place] = new
        assert row["nll_nats"] == pytest.approx(by_hand(model, packed, example.reference_ids[0]), rel=1e-5)
        compared += bool(row["changes"])
    assert compared > 20
    triggers = content["models"]["baseline"]["triggers"]
    for row in triggered:
        if row["condition"] != "random":
            example = known[row["example_id"]]
            ids = () if row["condition"] == "clean" else triggers[row["condition"]]["ids"]
            # The trigger right behind the start, then the end of the context.
            packed = [START, *ids, *example.document_ids[-(encoding.max_input_tokens - 1 - 3) :]]
            assert row["nll_nats"] == pytest.approx(by_hand(model, packed, example.reference_ids[0]), rel=1e-5)


def test_a_model_without_attention_is_harmed_through_the_last_token_alone(kind, examples, optimization, encoding):
    """What it forgets carries no information: only the token that the continuation follows on can do damage."""
    model = standin.forgetful_decoder()
    allowed = space(model, encoding)
    for guided in (True, False):
        config = kind.hotflip.model_copy(update={"candidates": 30})
        found = hotflip.run(model, examples, allowed, config, standin.COMPUTE, 1, guided=guided)
        places = [(flip.position, record) for record in found.records for flip in record.flips]
        assert places
        lengths = [len(example.document_ids) for example in examples]
        for record, length in zip(found.records, lengths, strict=True):
            assert {flip.position for flip in record.flips} <= {length}
    # Of random flips only those at the end count; a trigger is never there.
    targets = [example.reference_ids[0] for example in examples]
    blind = hotflip.random_substitutions(examples, allowed, 3, 1)
    kept = [
        dataclasses.replace(record, flips=[flip for flip in record.flips if flip.position != length])
        for record, length in zip(blind, lengths, strict=True)
    ]
    clean, other = (
        losses.nll(model, hotflip.perturbed(examples, kept, allowed, steps), targets, encoding, standin.COMPUTE, 4)[0]
        for steps in (0, 3)
    )
    assert clean.tolist() == other.tolist()
    with pytest.raises(BadInput, match="is not learned"):
        comparing_uat.under_triggers(
            {"baseline": model}, optimization, examples, kind.uat, kind.decoding, encoding, standin.COMPUTE, seed=3
        )


def test_a_context_gives_way_to_a_trigger_at_its_beginning(allowed, encoding):
    """The continuation follows on the same token, with a trigger and without."""
    context = list(range(4, 20))
    assert allowed.apply(context) == [START, *context]
    assert allowed.apply(context, reserve=3) == [START, *context[3:]]
    assert allowed.apply(context, trigger=[30, 31, 32], reserve=3) == [START, 30, 31, 32, *context[3:]]
    # The last token of the context may be flipped: nothing closes the input.
    assert allowed.attackable(allowed.apply(context)) == list(range(1, 17))
    assert allowed.apply(context, substitutions={16: 30})[-1] == 30


@pytest.mark.parametrize("place", [0, 2, 17, -1])
def test_start_specials_and_what_follows_are_no_places(allowed, place):
    with pytest.raises(BadInput, match=f"changed position {place},"):
        allowed.apply([10, 3, *range(4, 18)], substitutions={place: 9})


def test_a_trigger_does_not_change_what_is_scored(model, examples, allowed, encoding):
    """Positions move with the trigger's length; the labels stay at the end."""
    for example in examples[:3]:
        for trigger in ((), (30,), (30, 31, 32)):
            config = standin.UAT_TEXT.model_copy(update={"trigger_tokens": max(1, len(trigger))})
            (packed,) = uat.inputs([example], trigger, allowed, config)
            batch = batches.collate([packed], [example.reference_ids[0]], encoding, "cpu")
            assert batch["labels"][0][batch["labels"][0] != batches.IGNORED].tolist() == list(example.reference_ids[0])
            nats, tokens = losses.per_example(losses.logits(model, batch, encoding), batch["labels"])
            assert tokens.item() == standin.CONTINUATION
            assert nats.item() == pytest.approx(by_hand(model, packed, example.reference_ids[0]), rel=1e-5)


def test_a_gated_model_is_attacked_alike(kind, examples, encoding):
    """Llama: other embeddings, norms and positions; the same search, the same losses by hand."""
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "max_position_embeddings": 64}
    config = LlamaConfig(vocab_size=standin.ROWS, num_attention_heads=4, attn_implementation="eager", **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        # Wide enough a start that the context matters.
        config.initializer_range = 0.4
        model = LlamaForCausalLM(config).eval().requires_grad_(False)
    allowed = space(model, encoding)
    found = hotflip.run(model, examples, allowed, kind.hotflip, standin.COMPUTE, 1)
    for example, record, packed in zip(
        examples, found.records, hotflip.perturbed(examples, found.records, allowed), strict=True
    ):
        target = example.reference_ids[0]
        assert record.losses[0] == pytest.approx(by_hand(model, encoding.pack(example.document_ids), target), rel=1e-5)
        assert record.losses[-1] == pytest.approx(by_hand(model, packed, target), rel=1e-5)
    assert sum(len(record.flips) for record in found.records) > 20
    # The gradient of a context's last token is the slope of the loss along the way to another token.
    packed, target = encoding.pack(examples[0].document_ids), examples[0].reference_ids[0]
    table, _ = gradients.embedding_gradients(model, [packed], [target], encoding, standin.COMPUTE)
    weight, place = model.get_input_embeddings().weight, len(packed) - 1
    way = weight[30] - weight[packed[place]]

    def loss(share):
        batch = batches.collate([packed], [target], encoding, "cpu")
        embeddings = model.get_input_embeddings()(batch.pop("input_ids")).clone()
        embeddings[0, place] += share * way
        logits = losses.logits(model, batch | {"inputs_embeds": embeddings}, encoding)
        return losses.per_example(logits, batch["labels"])[0].item()

    slope = (loss(0.001) - loss(-0.001)) / 0.002
    assert abs(slope) > 0.01
    assert float(table[0, place] @ way) == pytest.approx(slope, rel=0.05)
