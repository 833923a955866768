"""The training loop: what it learns, what it repeats, and what it survives."""

import dataclasses
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import learnable
import numpy as np
import pytest
import safetensors.torch
import standin
import torch

from mono_s2s import files, training
from mono_s2s.evidence import schemas
from mono_s2s.files import BadInput
from mono_s2s.models import architectures, losses, monotone

ROOT = Path(__file__).resolve().parents[1]
# 60 examples in steps of 8, three epochs.
STEPS, TOTAL = 8, 24


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupted."""
    return learnable.run(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def known(tmp_path):
    return learnable.encoding(tmp_path / "data")


def lengths(count, seed=0):
    random = np.random.default_rng(seed)
    return [(int(a), int(b)) for a, b in random.integers(5, 100, size=(count, 2))]


def test_every_epoch_sees_every_example_once():
    steps = training.order(lengths(101), 8, seed=1, epoch=0)
    assert sorted(index for step in steps for index in step) == list(range(101))
    assert sorted(len(step) for step in steps) == [5] + [8] * 12


def test_the_order_is_a_function_of_seed_and_epoch_alone():
    first = training.order(lengths(300), 8, seed=1, epoch=0)
    assert training.order(lengths(300), 8, seed=1, epoch=0) == first
    assert training.order(lengths(300), 8, seed=2, epoch=0) != first
    assert training.order(lengths(300), 8, seed=1, epoch=1) != first


def test_steps_hold_similar_lengths_in_random_order():
    known = lengths(800)
    steps = training.order(known, 8, seed=1, epoch=0)
    padded = sum(8 * max(known[i][0] for i in step) for step in steps)
    assert padded < 1.1 * sum(length for length, _ in known)
    longest = [max(known[i][0] for i in step) for step in steps]
    assert longest != sorted(longest)


@pytest.mark.parametrize("ratio", [0.0, 0.1, 1.0])
def test_the_rate_rises_to_its_peak_and_falls_and_is_never_zero(ratio):
    settings = learnable.SETTINGS.model_copy(update={"warmup_ratio": ratio})
    rates = [training.learning_rate(step, 50, settings) for step in range(50)]
    peak = rates.index(max(rates))
    assert min(rates) > 0
    assert max(rates) == pytest.approx(settings.learning_rate)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert abs(peak - ratio * 50) <= 1


def test_norms_biases_and_constrained_matrices_take_no_decay(known):
    model = architectures.build(learnable.SCRATCH, known)
    monotone.constrain(model, learnable.NONNEG)
    decayed, free = training.groups(model, 0.5)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    free_names = {names[id(parameter)] for parameter in free["params"]}
    assert {name for name in free_names if "parametrizations" in name} == {
        f"{stack}.block.0.layer.{layer}.DenseReluDense.{matrix}.parametrizations.weight.original"
        for stack, layer in (("encoder", 1), ("decoder", 2))
        for matrix in ("wi", "wo")
    }
    assert all(word in " ".join(free_names) for word in ("layer_norm", "relative_attention_bias"))
    assert {names[id(parameter)].split(".")[-2] for parameter in decayed["params"]} == {*"qkvo", "shared"}
    # And the optimizer does what the groups say: without gradients, decay is all that moves a weight.
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    torch.optim.AdamW([decayed, free], lr=0.1).step()
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == {names[id(parameter)] for parameter in decayed["params"]}


def test_it_learns_and_keeps_the_best_epoch(whole, known):
    outcome, model = whole
    assert outcome.best["validation_nll_per_token"] < 0.8 * outcome.initial["validation_nll_per_token"]
    assert outcome.best == min(outcome.epochs, key=lambda row: row["validation_nll_per_token"])
    held = learnable.pairs(16, seed=1)
    inputs, targets = [pair.input_ids for pair in held], [pair.target_ids for pair in held]
    nats, tokens = losses.nll(model.eval(), inputs, targets, known, standin.COMPUTE, 16)
    assert nats.sum() / tokens.sum() == pytest.approx(outcome.best["validation_nll_per_token"], rel=1e-6)


def test_weights_of_an_earlier_better_epoch_come_back(tmp_path):
    """A rate that ruins the model later: the best epoch is not the last, and its weights are what remains."""
    changes = {"learning_rate": 0.3, "warmup_ratio": 1.0, "epochs": 4, "max_gradient_norm": 100.0}
    outcome, model = learnable.run(tmp_path, arm="baseline", changes=changes)
    assert outcome.best["epoch"] < 4
    held = learnable.pairs(16, seed=1)
    known = learnable.encoding(tmp_path / "data")
    nats, tokens = losses.nll(
        model.eval(), [p.input_ids for p in held], [p.target_ids for p in held], known, standin.COMPUTE, 16
    )
    assert nats.sum() / tokens.sum() == pytest.approx(outcome.best["validation_nll_per_token"], rel=1e-6)


def test_the_outcome_says_what_happened(whole):
    outcome, _ = whole
    made = learnable.pairs(60)
    for row in (outcome.initial, *outcome.epochs):
        schemas.Epoch.model_validate(row)
    budget = schemas.Budget.model_validate(outcome.budget)
    assert budget.steps == TOTAL
    assert budget.examples == 3 * 60
    assert budget.input_tokens == 3 * sum(len(pair.input_ids) for pair in made)
    assert budget.target_tokens == 3 * sum(len(pair.target_ids) for pair in made)
    assert outcome.initial["train_nll_per_token"] is None
    assert [row["step"] for row in outcome.epochs] == [STEPS, 2 * STEPS, TOTAL]
    assert [row["step"] for row in outcome.curve if row["split"] == "train"] == list(range(1, TOTAL + 1))
    assert [row["epoch"] for row in outcome.curve if row["split"] == "validation"] == [0, 1, 2, 3]
    assert all(set(row) == set(training.CURVE_COLUMNS) for row in outcome.curve)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(whole, tmp_path):
    outcome, model = whole
    again, twin = learnable.run(tmp_path)
    other, stranger = learnable.run(tmp_path, seed=6)
    assert (learnable.digest(twin), again) == (learnable.digest(model), outcome)
    assert learnable.digest(stranger) != learnable.digest(model)
    assert other.initial == outcome.initial


def test_the_constraint_destroys_signs_and_the_first_loss_shows_it(tmp_path, known):
    """Both arms start from one trained model: before the first step the monotonic one has lost what it knew."""
    _, model = learnable.run(tmp_path, arm="baseline", examples=400, changes={"dropout": 0.0, "batch_size": 16})
    held = learnable.pairs(16, seed=1)
    inputs, targets = [pair.input_ids for pair in held], [pair.target_ids for pair in held]

    def loss():
        nats, tokens = losses.nll(model.eval(), inputs, targets, known, standin.COMPUTE, 16)
        return nats.sum() / tokens.sum()

    before = loss()
    monotone.constrain(model, learnable.NONNEG)
    assert loss() > 1.1 * before


@pytest.mark.parametrize("arm", ["baseline", "monotonic"])
def test_accumulated_gradients_weigh_tokens_not_batches(arm, known):
    """Two examples with 1 and 7 target tokens: in one batch, in two parts, and as a mean of two means."""
    examples = [
        learnable.reading.Pair((4, 5, 7, 1), (1,)),
        learnable.reading.Pair((4, 5, 8, 9, 10, 1), (8, 9, 10, 8, 9, 10, 1)),
    ]

    def stepped(batch_size, weights=None):
        model = architectures.build(learnable.SCRATCH, known).eval()
        model.train = lambda mode=True: model  # dropout off, whoever asks
        if arm == "monotonic":
            monotone.constrain(model, learnable.NONNEG)
        settings = learnable.SETTINGS.model_copy(update={"batch_size": batch_size, "max_gradient_norm": 1e9})
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        if weights is None:
            training._step(model, optimizer, examples, settings, standin.COMPUTE, known, "here")
        else:
            for example, weight in zip(examples, weights, strict=True):
                batch = losses.collate([example.input_ids], [example.target_ids], known, "cpu")
                nats, _ = losses.per_example(losses.logits(model, batch, known), batch["labels"])
                (nats.sum() * weight).backward()
            optimizer.step()
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    together, apart = stepped(2), stepped(1)
    torch.testing.assert_close(apart, together, rtol=0, atol=1e-6)
    assert (stepped(1, weights=(1 / 2, 1 / 14)) - together).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("kind", "arm", "layer", "layers"),
    [
        ("t5", "baseline", "T5DenseActDense", 2),
        ("t5", "monotonic", "T5DenseActDense", 2),
        ("gpt_neox", "monotonic", "GPTNeoXMLP", 1),
        ("llama", "monotonic", "LlamaMLP", 1),
    ],
)
def test_gradient_checkpointing_computes_twice_and_changes_no_result(kind, arm, layer, layers, tmp_path):
    passes = {}

    def trained(checkpointing):
        passes[checkpointing] = 0

        def count(module, inputs):
            passes[checkpointing] += type(module).__name__ == layer

        hook = torch.nn.modules.module.register_module_forward_pre_hook(count)
        changes = {"dropout": 0.0, "epochs": 1, "gradient_checkpointing": checkpointing}
        try:
            outcome, model = learnable.run(tmp_path, kind=kind, arm=arm, examples=24, changes=changes)
        finally:
            hook.remove()
        return outcome.best["validation_nll_per_token"], model

    (plain, model), (saving, twin) = trained(False), trained(True)
    # Its feed-forward layers; 3 steps of two parts are replayed, validation is not.
    assert passes[True] - passes[False] == layers * 3 * 2
    assert saving == pytest.approx(plain, rel=1e-5)
    for (name, one), (_, other) in zip(model.named_parameters(), twin.named_parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4, msg=name)


def test_bf16_passes_leave_fp32_weights_that_small_steps_still_move(tmp_path):
    """Pure bf16 weights would swallow such steps: V is about -4, where bf16 numbers lie 0.03 apart."""
    coarse = standin.COMPUTE.model_copy(update={"precision": "bf16"})
    changes = {"learning_rate": 1e-5, "epochs": 1, "weight_decay": 0.0}
    outcome, model = learnable.run(tmp_path, changes=changes, compute_as=coarse)
    exact, _ = learnable.run(tmp_path, changes=changes)
    start = architectures.build(learnable.SCRATCH, learnable.encoding(tmp_path / "data"))
    monotone.constrain(start, learnable.NONNEG)
    for (name, before), (_, after) in zip(start.named_parameters(), model.named_parameters(), strict=True):
        assert after.dtype == torch.float32, name
        if monotone.is_free(name):
            assert (after != before).float().mean() > 0.5, name
            assert torch.equal(after.bfloat16(), before.bfloat16()) or (after - before).abs().max() < 1e-4
    assert outcome.initial["validation_nll_per_token"] != exact.initial["validation_nll_per_token"]
    assert outcome.initial["validation_nll_per_token"] == pytest.approx(
        exact.initial["validation_nll_per_token"], rel=0.02
    )


def test_a_state_is_keyed_by_parameters_and_inputs(tmp_path):
    (tmp_path / "data").write_text("one")

    first = training.state_key({"rate": 1}, [tmp_path / "data"], ROOT)
    assert training.state_key({"rate": 1}, [tmp_path / "data"], ROOT) == first
    assert training.state_key({"rate": 2}, [tmp_path / "data"], ROOT) != first
    (tmp_path / "data").write_text("two")
    assert training.state_key({"rate": 1}, [tmp_path / "data"], ROOT) != first


def test_a_loss_that_is_not_finite_names_the_step(tmp_path):
    with pytest.raises(BadInput, match=r"^baseline: step [2-9]\d? of 24: (loss|gradient norm) is (nan|inf)") as caught:
        learnable.run(tmp_path, arm="baseline", changes={"learning_rate": 1e30, "warmup_ratio": 0.0})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("training_pairs", "held", "word"), [([], 4, "training"), (4, [], "validation")])
def test_no_examples_is_an_error(training_pairs, held, word, known):
    made = [learnable.pairs(count) if count else [] for count in (training_pairs, held)]
    model = architectures.build(learnable.SCRATCH, known)
    with pytest.raises(BadInput, match=f"no {word} examples"):
        training.train(
            model,
            *made,
            settings=learnable.SETTINGS,
            compute=standin.COMPUTE,
            encoding=known,
            seed=1,
            title="here",
        )


def child(kind, folder, step, seconds):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tests/learnable.py"), kind, str(folder), str(step), str(seconds)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [("t5", 0.0), ("t5", math.inf), ("gpt_neox", 0.0), ("llama", math.inf)],
    ids=["state a step", "state an epoch", "gpt_neox, a step", "llama, an epoch"],
)
def test_a_killed_run_goes_on_bit_for_bit(kind, seconds, whole, tmp_path):
    expected, trained = whole if kind == "t5" else learnable.run(tmp_path / "whole", kind=kind)
    step = int(np.random.default_rng().integers(STEPS + 2, TOTAL))
    killed = child(kind, tmp_path, step, seconds)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "result.json").exists()
    resumed_from = max(files.read_json(path)["step"] for path in (tmp_path / "state").glob("*.json"))
    assert resumed_from == (step - 1 if seconds == 0 else (step - 1) // STEPS * STEPS)
    rows = []
    outcome, model = learnable.run(tmp_path, kind=kind, state=tmp_path / "state", follow=rows.append)
    assert learnable.digest(model) == learnable.digest(trained), f"killed in step {step}"
    assert dataclasses.asdict(outcome) == dataclasses.asdict(expected)
    assert rows == outcome.curve


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that was asked to stop in step 13, and the error that it ended with."""
    folder = tmp_path_factory.mktemp("stopped")
    before = signal.getsignal(signal.SIGTERM)

    def follow(row):
        if row["split"] == "train" and row["step"] in (12, 13):
            os.kill(os.getpid(), signal.SIGTERM if row["step"] == 13 else 0)

    with pytest.raises(BadInput) as caught:
        learnable.run(folder, state=folder / "state", follow=follow)
    assert signal.getsignal(signal.SIGTERM) is before
    return folder / "state", str(caught.value)


def copied(state, target):
    target.mkdir()
    for path in state.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def newest(state):
    return max(state.glob("*.json"), key=lambda path: files.read_json(path)["step"])


def test_a_signal_saves_the_state_and_says_so(stopped, whole, tmp_path):
    state, message = stopped
    assert message == "monotonic: stopped by SIGTERM after step 13 of 24: run again to go on from there"
    assert files.read_json(newest(state))["step"] == 13
    _, model = learnable.run(tmp_path, state=copied(state, tmp_path / "state"))
    assert learnable.digest(model) == learnable.digest(whole[1])


def test_a_torn_state_falls_back_to_the_one_before(stopped, whole, tmp_path):
    state = copied(stopped[0], tmp_path / "state")
    tensors = newest(state).with_suffix(".safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"\0")
    rows = []
    _, model = learnable.run(tmp_path, state=state, follow=rows.append)
    assert learnable.digest(model) == learnable.digest(whole[1])


def doctored(state, change):
    """The newest state, changed and made whole again."""
    path = newest(state)
    tensors = safetensors.torch.load_file(path.with_suffix(".safetensors"))
    content = files.read_json(path)
    del content["digest"]
    change(tensors, content["facts"])
    safetensors.torch.save_file(tensors, path.with_suffix(".safetensors"))
    content["tensors"] = files.sha256(path.with_suffix(".safetensors"))
    files.write_json(path, {**content, "digest": files.digest(content)})


def forget_random_numbers(tensors, facts):
    tensors["random/cpu"] = torch.Generator().manual_seed(0).get_state()


def forget_the_place(tensors, facts):
    facts["step"] -= 1


def forget_the_moments(tensors, facts):
    for name in tensors:
        if name.startswith("optimizer/exp_avg/"):
            tensors[name] = torch.zeros_like(tensors[name])


@pytest.mark.parametrize("change", [forget_random_numbers, forget_the_place, forget_the_moments])
def test_every_part_of_the_state_is_needed(change, stopped, whole, tmp_path):
    """The equality above can fail: without one part of the state the resumed run ends elsewhere."""
    state = copied(stopped[0], tmp_path / "state")
    doctored(state, change)
    _, model = learnable.run(tmp_path, state=state)
    assert learnable.digest(model) != learnable.digest(whole[1])
