"""The training loop on blocks: GPT-NeoX and Llama. What it shares with T5 is in test_training.py."""

import learnable
import pytest
import standin
import torch

from mono_s2s import training
from mono_s2s.models import architectures, monotone


@pytest.mark.parametrize("kind", ["gpt_neox", "llama"])
def test_a_decoder_learns_from_blocks(kind, tmp_path):
    outcome, model = learnable.run(tmp_path, kind=kind)
    assert outcome.best["validation_nll_per_token"] < 0.8 * outcome.initial["validation_nll_per_token"]
    # A block counts as one input token and its own length in targets: each of its tokens is learned once an epoch.
    assert outcome.budget["input_tokens"] == 3 * 60
    assert outcome.budget["target_tokens"] == 3 * 60 * standin.BLOCK
    monotone.verify(model, learnable.CONSTRAINTS[kind])


@pytest.mark.parametrize(
    ("kind", "free", "decayed"),
    [
        (
            "gpt_neox",
            {"layernorm", "layer_norm", "bias", "dense_h_to_4h.parametrizations", "dense_4h_to_h.parametrizations"},
            {"embed_in", "lm_head", "query_key_value", "attention.dense"},
        ),
        (
            "llama",
            {"layernorm", "model.norm", "up_proj.parametrizations", "down_proj.parametrizations"},
            {"embed_tokens", "lm_head", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj"},
        ),
    ],
)
def test_a_decoder_s_norms_biases_and_constrained_matrices_take_no_decay(kind, free, decayed, tmp_path):
    model = architectures.build(learnable.SCRATCHES[kind], learnable.encoding(tmp_path, kind))
    monotone.constrain(model, learnable.CONSTRAINTS[kind])
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = training.groups(model, 0.5)
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0]
    for group, parts in zip(groups, (decayed, free), strict=True):
        found = [names[id(parameter)] for parameter in group["params"]]
        assert all(any(part in name for part in parts) for name in found), found
        assert all(any(part in name for name in found) for part in parts), found
    assert sum(len(group["params"]) for group in groups) == len(names)


@pytest.mark.parametrize("kind", ["gpt_neox", "llama"])
def test_a_constrained_decoder_really_moves_at_the_published_rate(kind, tmp_path):
    """The published runs kept V in bf16, where a step of 5e-5 is less than half of what lies between two numbers."""
    coarse = standin.COMPUTE.model_copy(update={"precision": "bf16"})
    changes = {"learning_rate": 5e-5, "weight_decay": 0.0, "epochs": 1}
    _, model = learnable.run(tmp_path, kind=kind, changes=changes, compute_as=coarse)
    start = architectures.build(learnable.SCRATCHES[kind], learnable.encoding(tmp_path / "data", kind))
    monotone.constrain(start, learnable.CONSTRAINTS[kind])
    after = dict(model.named_parameters())
    steps = 0
    for name, before in start.named_parameters():
        if not monotone.is_free(name):
            continue
        steps += 1
        assert after[name].dtype == torch.float32
        assert (after[name] != before).float().mean() > 0.95, name
        # The same, always in one direction, in bf16 weights.
        stuck = torch.nn.Parameter(before.detach().bfloat16())
        optimizer = torch.optim.AdamW([stuck], lr=5e-5, weight_decay=0.0)
        for _ in range(20):
            stuck.grad = torch.ones_like(stuck)
            optimizer.step()
        assert (stuck != before.bfloat16()).float().mean() < 0.01, name
    assert steps == 2
