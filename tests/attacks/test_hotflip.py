import dataclasses

import numpy as np
import pytest
import standin
import torch
from scipy import stats

from mono_s2s.attacks import gradients, hotflip
from mono_s2s.attacks.space import space
from mono_s2s.files import BadInput
from mono_s2s.models import losses

PLANTED = 9


def attack(model, examples, allowed, *, guided=True, seed=1, **changes):
    config = standin.HOTFLIP.model_copy(update=changes)
    return hotflip.run(model, examples, allowed, config, standin.COMPUTE, seed, guided=guided)


@pytest.fixture(scope="module")
def result(model, examples, allowed):
    return attack(model, examples, allowed)


def test_finds_the_planted_token(kind, examples, encoding):
    """Every single flip is tried by brute force; the best one is the planted token, and the attack must find it."""
    model = kind.planted(PLANTED)
    allowed = space(model, encoding)
    cleaned = standin.without(examples, PLANTED)
    found = attack(model, cleaned, allowed, flips=1, candidates=2)
    blind = hotflip.random_substitutions(cleaned, allowed, 1, 1)
    for example, record, other in zip(cleaned, found.records, blind, strict=True):
        packed = allowed.apply(example.document_ids)
        pairs = [(place, token) for place in allowed.attackable(packed) for token in allowed.allowed.tolist()]
        tried = [allowed.apply(example.document_ids, substitutions={place: token}) for place, token in pairs]
        target = example.reference_ids[0]
        nats = gradients.exact(model, tried, [target] * len(tried), encoding, standin.COMPUTE, 512)
        best = pairs[int(nats.argmax())]
        assert best[1] == PLANTED
        assert record.flips[0].new == PLANTED
        assert record.losses[1] > max(
            loss for loss, pair in zip(nats.tolist(), pairs, strict=True) if pair[1] != PLANTED
        )
        assert record.losses[1] > record.losses[0] + 1
        assert other.flips[0].new != PLANTED or other.flips[0].position != best[0]


def test_every_flip_of_a_planted_model_is_the_planted_token(kind, examples, encoding):
    model = kind.planted(PLANTED)
    found = attack(model, standin.without(examples, PLANTED), space(model, encoding))
    assert {flip.new for record in found.records for flip in record.flips} == {PLANTED}
    assert all(len(record.flips) == 3 for record in found.records)


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_prefix_and_specials_are_untouched_and_forbidden_ids_unused(kind, examples, encoding, guided, seed):
    model = kind.model(seed)
    allowed = space(model, encoding)
    # Sentinels and unknowns inside the document too.
    spiked = [
        dataclasses.replace(example, document_ids=(3, 2, *example.document_ids[:3], 3, *example.document_ids[3:8]))
        for example in examples
    ]
    found = attack(model, spiked, allowed, guided=guided, seed=seed)
    perturbed = hotflip.perturbed(spiked, found.records, allowed)
    for example, record, packed in zip(spiked, found.records, perturbed, strict=True):
        clean = encoding.pack(example.document_ids)
        changed = [place for place in range(len(clean)) if clean[place] != packed[place]]
        assert sorted(changed) == sorted(flip.position for flip in record.flips)
        start, closing = len(encoding.prefix_ids), set(range(len(clean) - len(encoding.closing_ids), len(clean)))
        assert not set(changed) & {*range(start + 2), start + 5, *closing}
        assert {packed[place] for place in changed} <= set(allowed.allowed.tolist())
        assert [clean[flip.position] for flip in record.flips] == [flip.old for flip in record.flips]
    assert sum(len(record.flips) for record in found.records) > 10


@pytest.mark.parametrize("guided", [True, False])
def test_losses_never_fall_and_flips_never_exceed_the_budget(model, examples, allowed, guided):
    found = attack(model, examples, allowed, guided=guided, flips=5)
    for record in found.records:
        assert len(record.losses) == 6
        assert record.losses == sorted(record.losses)
        assert len(record.flips) <= 5
        assert len({flip.position for flip in record.flips}) == len(record.flips)
        assert [flip.step for flip in record.flips] == sorted({flip.step for flip in record.flips})
    assert any(record.losses[-1] > record.losses[0] for record in found.records)


def test_search_losses_are_those_of_the_perturbed_inputs(model, examples, allowed, encoding, result):
    targets = [example.reference_ids[0] for example in examples]
    for steps in range(4):
        inputs = hotflip.perturbed(examples, result.records, allowed, steps)
        nats, _ = losses.nll(model, inputs, targets, encoding, standin.COMPUTE, 4)
        assert [record.losses[steps] for record in result.records] == pytest.approx(nats.tolist(), rel=1e-5)
    assert hotflip.perturbed(examples, result.records, allowed, 0) == [
        encoding.pack(example.document_ids) for example in examples
    ]


@pytest.mark.parametrize("guided", [True, False])
def test_batched_equals_one_by_one(model, examples, allowed, guided):
    together = attack(model, examples, allowed, guided=guided, batch_size=len(examples))
    alone = attack(model, examples, allowed, guided=guided, batch_size=1)
    for one, other in zip(together.records, alone.records, strict=True):
        assert one.flips == other.flips
        assert one.losses == pytest.approx(other.losses, rel=1e-5)
    assert (together.forward, together.backward) == (alone.forward, alone.backward)


def test_the_budget_is_the_same_for_every_model_and_search(kind, examples, encoding, allowed, result):
    other = attack(kind.planted(PLANTED), examples, allowed)
    deaf = attack(kind.deaf(), examples, allowed)
    n, flips, candidates = len(examples), 3, 4
    assert (result.forward, result.backward) == (n * (1 + flips * (1 + candidates)), n * flips)
    assert (other.forward, other.backward) == (deaf.forward, deaf.backward) == (result.forward, result.backward)
    # A backward pass counts as two forward passes.
    blind = attack(kind.model(), examples, allowed, guided=False)
    assert blind.forward == result.forward + 2 * result.backward
    assert blind.backward == 0


def test_where_no_token_carries_information_nothing_is_flipped(kind, examples, encoding):
    deaf = kind.deaf()
    allowed = space(deaf, encoding)
    for guided in (True, False):
        found = attack(deaf, examples, allowed, guided=guided)
        assert [record.flips for record in found.records] == [[] for _ in examples]
    assert hotflip.first_order_correlation(deaf, examples, allowed, found, standin.HOTFLIP, standin.COMPUTE) is None
    # Nor would it have helped: random flips change nothing either.
    targets = [example.reference_ids[0] for example in examples]
    blind = hotflip.random_substitutions(examples, allowed, 3, 1)
    before, _ = losses.nll(deaf, hotflip.perturbed(examples, blind, allowed, 0), targets, encoding, standin.COMPUTE, 4)
    after, _ = losses.nll(deaf, hotflip.perturbed(examples, blind, allowed), targets, encoding, standin.COMPUTE, 4)
    assert before.tolist() == after.tolist()


def test_after_a_step_in_vain_the_next_candidates_are_tried(model, examples, allowed, encoding):
    inputs = [encoding.pack(examples[0].document_ids)]
    table, _ = gradients.embedding_gradients(model, inputs, [examples[0].reference_ids[0]], encoding, standin.COMPUTE)
    free = [allowed.attackable(inputs[0])]
    weight = model.get_input_embeddings().weight

    def chosen(tried, count):
        return hotflip._guided(table, inputs, free, [tried], allowed, weight, count)[0]

    # The ranking by hand: every position's best token, positions by that score, then every position's second best.
    ranked = {}
    for place in free[0]:
        current = inputs[0][place]
        scores = {
            token: float(table[0, place] @ (weight[token] - weight[current]))
            for token in allowed.allowed.tolist()
            if token != current
        }
        for rank, token in enumerate(sorted(scores, key=scores.get, reverse=True)):
            ranked[place, token] = (rank, -scores[token])
    wanted = sorted(ranked, key=ranked.get)
    assert chosen(0, 5) == wanted[:5]
    # Further on, and beyond the first token of every position.
    many = 2 * len(free[0]) + 3
    assert chosen(5, many) == wanted[5 : 5 + many]
    assert chosen(len(wanted) - 2, 9) == wanted[-2:]


def test_a_committed_flip_starts_a_new_ranking(model, examples, allowed, encoding, result):
    """The second step is what a first step on the flipped document would be, but for the flipped position."""
    compared = 0
    for example, record in zip(examples, result.records, strict=True):
        if [flip.step for flip in record.flips[:2]] != [1, 2]:
            continue
        (packed,) = hotflip.perturbed([example], [record], allowed, 1)
        document = tuple(packed[len(encoding.prefix_ids) : len(packed) - len(encoding.closing_ids)])
        fresh = attack(model, [dataclasses.replace(example, document_ids=document)], allowed, flips=1)
        if record.flips[0].position in {place for place, _ in fresh.candidates[0]}:
            continue
        again, second = fresh.records[0].flips[0], record.flips[1]
        assert (again.position, again.new) == (second.position, second.new)
        compared += 1
    assert compared >= 3


def test_short_documents_are_flipped_as_far_as_they_go(model, examples, allowed):
    short = [
        dataclasses.replace(examples[0], example_id="one", document_ids=(10,)),
        dataclasses.replace(examples[1], example_id="none", document_ids=(3, 2)),
        examples[2],
    ]
    for guided in (True, False):
        found = attack(model, short, allowed, guided=guided)
        assert [record.attackable for record in found.records[:2]] == [1, 0]
        assert len(found.records[0].flips) <= 1
        assert found.records[1].flips == []
    blind = hotflip.random_substitutions(short, allowed, 3, 1)
    assert [len(record.flips) for record in blind] == [1, 0, 3]


def test_random_substitutions_are_random_positions_and_other_tokens(examples, allowed):
    one = hotflip.random_substitutions(examples, allowed, 3, 1)
    assert one == hotflip.random_substitutions(examples, allowed, 3, 1)
    assert one != hotflip.random_substitutions(examples, allowed, 3, 2)
    # The first flips of a larger budget are those of a smaller one.
    two = hotflip.random_substitutions(examples, allowed, 2, 1)
    assert [record.flips[:2] for record in one] == [record.flips for record in two]
    for record in one:
        assert len({flip.position for flip in record.flips}) == 3
        assert all(flip.new != flip.old for flip in record.flips)
    # What an example draws does not depend on the others.
    assert hotflip.random_substitutions(examples[4:5], allowed, 3, 1)[0] == one[4]


def test_only_the_random_search_depends_on_the_seed(model, examples, allowed, result):
    assert attack(model, examples, allowed, seed=2).records == result.records
    blind = [attack(model, examples, allowed, guided=False, seed=seed).records for seed in (1, 1, 2)]
    assert blind[0] == blind[1] != blind[2]


def test_the_first_step_commits_the_largest_exact_change(result):
    for record, changes in zip(result.records, result.changes, strict=True):
        assert len(changes) == 4
        assert record.losses[1] == pytest.approx(record.losses[0] + max(0.0, *changes), abs=1e-4)


def test_estimates_are_compared_with_exact_changes(model, examples, allowed, encoding):
    """Spearman's coefficient by SciPy, one example at a time."""
    blind = attack(model, examples, allowed, guided=False)
    weight = model.get_input_embeddings().weight
    estimated, exact = [], []
    for example, candidates, changes in zip(examples, blind.candidates, blind.changes, strict=True):
        packed, target = encoding.pack(example.document_ids), example.reference_ids[0]
        table, loss = gradients.embedding_gradients(model, [packed], [target], encoding, standin.COMPUTE)
        for (place, token), change in zip(candidates, changes, strict=True):
            estimated.append(float(table[0, place] @ (weight[token] - weight[packed[place]])))
            tried = allowed.apply(example.document_ids, substitutions={place: token})
            exact.append(float(gradients.exact(model, [tried], [target], encoding, standin.COMPUTE, 1)[0] - loss[0]))
            assert change == pytest.approx(exact[-1], abs=1e-4)
    found = hotflip.first_order_correlation(model, examples, allowed, blind, standin.HOTFLIP, standin.COMPUTE)
    assert found == pytest.approx(stats.spearmanr(estimated, exact).statistic, abs=1e-3)
    assert hotflip._ranks(np.array([3.0, 1.0, 3.0])).tolist() == [2.5, 1.0, 2.5]


def test_parameters_collect_no_gradients(kind, examples, encoding):
    model = kind.model(3)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    attack(model, examples[:2], space(model, encoding))
    assert all(weight.grad is None for weight in model.parameters())
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_no_examples_is_an_error(model, allowed):
    with pytest.raises(BadInput, match="no examples to attack"):
        attack(model, [], allowed)


def test_changes_read_as_position_old_new():
    record = hotflip.Record(attackable=9, flips=[hotflip.Flip(1, 7, 20, 21), hotflip.Flip(3, 2, 8, 9)])
    assert record.changes() == "7:20>21 2:8>9"
    assert record.substitutions(2) == {7: 21}
