import dataclasses

import numpy as np
import pytest
import standin

from mono_s2s.attacks import gradients, uat
from mono_s2s.attacks.space import space
from mono_s2s.files import BadInput
from mono_s2s.models import losses

PLANTED = 9


def learn(model, optimization, allowed, *, guided=True, seed=1, **changes):
    config = standin.UAT.model_copy(update=changes)
    return uat.learn(model, optimization, allowed, config, standin.COMPUTE, seed, guided=guided)


@pytest.fixture(scope="module")
def found(model, optimization, allowed):
    return learn(model, optimization, allowed)


def split_losses(model, examples, triggers, allowed, config):
    """The loss of each trigger on all examples, in nats, one example at a time."""
    totals = []
    for trigger in triggers:
        inputs = uat.inputs(examples, trigger, allowed, config)
        targets = [example.reference_ids[0] for example in examples]
        nats = gradients.exact(model, inputs, targets, allowed.encoding, standin.COMPUTE, 64)
        totals.append(float(nats.sum()))
    return totals


def test_finds_the_planted_trigger(kind, optimization, encoding):
    """Every trigger of one token is tried by brute force; the best one is the planted token: it must be found."""
    model = kind.planted(PLANTED)
    allowed = space(model, encoding)
    cleaned = standin.without(optimization, PLANTED)
    config = standin.UAT.model_copy(update={"trigger_tokens": 1})
    totals = split_losses(model, cleaned, [[token] for token in allowed.allowed.tolist()], allowed, config)
    assert allowed.allowed[int(np.argmax(totals))] == PLANTED
    # The gradient points at it at once: one candidate a step is enough.
    trigger = learn(model, cleaned, allowed, trigger_tokens=1, candidates=1, iterations=1, restarts=1)
    assert trigger.ids == (PLANTED,)
    clean = split_losses(model, cleaned, [[]], allowed, config)[0]
    assert max(totals) > clean + 10


def test_every_token_of_a_planted_trigger_is_found(kind, optimization, encoding):
    model = kind.planted(PLANTED)
    trigger = learn(model, standin.without(optimization, PLANTED), space(model, encoding), iterations=1)
    assert trigger.ids == (PLANTED,) * 3


@pytest.mark.parametrize("guided", [True, False])
def test_a_trigger_is_made_of_allowed_ids_and_beats_its_start(model, optimization, allowed, guided):
    trigger = learn(model, optimization, allowed, guided=guided)
    assert len(trigger.ids) == 3
    assert set(trigger.ids) <= set(allowed.allowed.tolist())
    assert trigger.search_nll_per_token == trigger.trace[-1] > trigger.trace[0]
    assert 0 < trigger.accepted <= trigger.steps <= 2 * 3


def test_the_trace_is_the_best_loss_so_far_on_the_whole_split(model, optimization, allowed, found):
    assert len(found.trace) == 1 + 2 * 2
    assert list(found.trace[1:]) == sorted(found.trace[1:])
    targets = [example.reference_ids[0] for example in optimization]
    inputs = uat.inputs(optimization, found.ids, allowed, standin.UAT)
    nats, tokens = losses.nll(model, inputs, targets, allowed.encoding, standin.COMPUTE, 4)
    assert found.search_nll_per_token == pytest.approx(nats.sum() / tokens.sum(), rel=1e-6)


def test_restarts_have_seeds_of_their_own_and_the_best_one_wins(model, optimization, allowed, found):
    first = learn(model, optimization, allowed, restarts=1)
    assert found.trace[: len(first.trace)] == first.trace
    assert found.search_nll_per_token >= first.search_nll_per_token
    many = learn(model, optimization, allowed, restarts=4)
    assert many.trace[: len(found.trace)] == found.trace
    assert many.search_nll_per_token >= found.search_nll_per_token


def test_the_same_seed_gives_the_same_trigger_and_another_seed_another_search(model, optimization, allowed, found):
    assert learn(model, optimization, allowed) == found
    assert learn(model, optimization, allowed, seed=2).trace != found.trace


def test_the_budget_is_the_same_for_every_model_and_search(kind, optimization, encoding, allowed, found):
    """Nothing stops early: not for a model that falls at once, not for one that cannot be harmed."""
    n, sweeps, steps, batch, candidates = len(optimization), 4, 3, 4, 4
    forward = 2 * n + sweeps * (batch + steps * batch * (1 + candidates) + n)
    assert (found.forward, found.backward) == (forward, sweeps * steps * batch)
    for model in (kind.planted(PLANTED), kind.deaf()):
        other = learn(model, optimization, allowed)
        assert (other.forward, other.backward) == (found.forward, found.backward)
    blind = learn(kind.model(), optimization, allowed, guided=False)
    assert blind.forward == found.forward + 2 * found.backward
    assert blind.backward == 0


def test_an_unlearned_trigger_is_refused(kind, optimization, encoding, examples, allowed, found):
    assert len(uat.attacked(examples, found, allowed, standin.UAT, "baseline")) == len(examples)
    deaf = learn(kind.deaf(), optimization, space(kind.deaf(), encoding))
    assert deaf.accepted == 0
    unlearned = [
        deaf,
        dataclasses.replace(found, steps=0, accepted=0),
        dataclasses.replace(found, ids=()),
        dataclasses.replace(found, ids=found.ids[:2]),
    ]
    for trigger in unlearned:
        with pytest.raises(BadInput, match=r"the trigger for baseline is not learned .*: raise uat\.iterations"):
            uat.attacked(examples, trigger, allowed, standin.UAT, "baseline")


def test_a_start_is_never_taken_for_a_learned_trigger(model, optimization, allowed):
    """Even where the first sweeps of a restart replace nothing, what counts is a trigger that did leave its start."""
    for seed in range(5):
        assert learn(model, optimization, allowed, guided=False, seed=seed, candidates=1, iterations=4).accepted > 0


def test_clean_and_attacked_inputs_hold_the_same_document(model, examples, allowed, encoding, found):
    """Documents of all lengths, among them some that a trigger pushes over the edge."""
    long = [
        dataclasses.replace(example, document_ids=tuple(range(4, 4 + length)))
        for length, example in zip((1, 5, 17, 18, 19, 20, 21, 30, 39, 39), examples, strict=True)
    ]
    clean = uat.inputs(long, (), allowed, standin.UAT)
    attacked = uat.attacked(long, found, allowed, standin.UAT, "baseline")
    start = len(encoding.prefix_ids)
    for before, after in zip(clean, attacked, strict=True):
        assert after[:start] == list(encoding.prefix_ids)
        assert tuple(after[start : start + 3]) == found.ids
        assert after[start + 3 :] == before[start:]
        assert len(after) <= encoding.max_input_tokens
    # Only the room for the trigger is missing from a clean input.
    assert len(clean[-1]) == encoding.max_input_tokens - 3


def test_random_triggers_are_drawn_for_each_example(examples, allowed):
    drawn = uat.random_triggers(examples, allowed, standin.UAT, 1)
    assert drawn == uat.random_triggers(examples, allowed, standin.UAT, 1)
    assert drawn != uat.random_triggers(examples, allowed, standin.UAT, 2)
    assert len({tuple(trigger) for trigger in drawn}) == len(examples)
    assert all(len(trigger) == 3 and set(trigger) <= set(allowed.allowed.tolist()) for trigger in drawn)


def test_batches_hold_no_example_twice_and_visit_all():
    chosen = uat._batches(10, 4, 5, np.random.default_rng(0))
    assert all(len(set(rows)) == 4 for rows in chosen)
    assert set(chosen[0]) & set(chosen[1]) == set()
    assert {row for rows in chosen for row in rows} == set(range(10))
    assert [sorted(rows) for rows in uat._batches(3, 16, 2, np.random.default_rng(0))] == [[0, 1, 2], [0, 1, 2]]


def test_candidates_are_scored_in_one_batch_as_one_by_one(model, optimization, allowed):
    search = uat._Search(model, optimization, allowed, standin.UAT, standin.COMPUTE)
    triggers = [[6, 7, 8], [30, 31, 32], [9, 9, 9]]
    rows = [3, 0, 7]
    together = search.losses(triggers, rows)
    alone = [sum(search.losses([trigger], [row])[0] for row in rows) for trigger in triggers]
    assert together == pytest.approx(alone, rel=1e-5)
    assert len(set(together)) == 3


def test_guided_candidates_are_those_of_the_mean_gradient(model, optimization, allowed, encoding):
    search = uat._Search(model, optimization, allowed, standin.UAT, standin.COMPUTE)
    trigger, rows, place = [6, 7, 8], [3, 0, 7, 2], 1
    weight = model.get_input_embeddings().weight
    scores = dict.fromkeys((token for token in allowed.allowed.tolist() if token != trigger[place]), 0.0)
    for row in rows:
        packed = uat.inputs([optimization[row]], trigger, allowed, standin.UAT)
        target = [optimization[row].reference_ids[0]]
        table, _ = gradients.embedding_gradients(model, packed, target, encoding, standin.COMPUTE)
        for token in scores:
            scores[token] += float(
                table[0, len(encoding.prefix_ids) + place] @ (weight[token] - weight[trigger[place]])
            )
    assert search.guided(trigger, place, rows) == sorted(scores, key=scores.get, reverse=True)[:4]


def test_no_examples_is_an_error(model, allowed):
    with pytest.raises(BadInput, match="no examples to learn a trigger on"):
        learn(model, [], allowed)
