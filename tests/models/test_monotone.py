"""The constraint: its arithmetic, its scope, and what would slip through if nobody counted."""

import learnable
import pytest
import standin
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils import parametrize

from mono_s2s.evidence import schemas
from mono_s2s.files import BadInput
from mono_s2s.models import architectures, batches, checkpoints, losses, monotone
from mono_s2s.scale import Constraint

MODES = ("nonneg", "sign_frozen", "abs_init_free")


def constraint(mode="nonneg"):
    return Constraint(mode=mode, scope="mlp_both")


def gated():
    """T5 v1.1: gated-gelu, an untied head."""
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = T5Config(
        vocab_size=standin.VOCABULARY,
        d_model=16,
        d_kv=4,
        d_ff=32,
        num_heads=4,
        num_layers=2,
        num_decoder_layers=1,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        attn_implementation=checkpoints.ATTENTION,
    )
    return T5ForConditionalGeneration(config).eval()


def logits(model, encoding):
    pairs = learnable.pairs(5)
    batch = batches.collate([p.input_ids for p in pairs], [p.target_ids for p in pairs], encoding, "cpu")
    with torch.no_grad():
        return losses.logits(model, batch, encoding)


@given(st.floats(1e-7, 1e4))
def test_the_inverse_of_softplus(value):
    weight = torch.tensor([value], dtype=torch.float32)
    free = monotone.inverse_softplus(weight)
    assert free.isfinite().all()
    torch.testing.assert_close(torch.nn.functional.softplus(free), weight, rtol=2e-5, atol=0)


def test_the_plain_form_would_overflow_and_ours_does_not():
    large = torch.tensor([100.0, 1e4])
    assert not torch.log(torch.expm1(large)).isfinite().all()
    assert torch.equal(monotone.inverse_softplus(large), large)


@pytest.mark.parametrize("mode", MODES)
def test_the_start_is_the_size_of_the_weights(mode):
    model = standin.model()
    before = {name: module.weight.clone() for name, module in monotone.matrices(model, constraint(mode)).items()}
    monotone.constrain(model, constraint(mode))
    for name, module in monotone.matrices(model, constraint(mode)).items():
        signs = torch.where(before[name] < 0, -1.0, 1.0) if mode == "sign_frozen" else 1.0
        torch.testing.assert_close(module.weight, signs * (before[name].abs() + monotone.EPSILON), rtol=1e-5, atol=1e-6)
        assert module.parametrizations.weight.original.dtype == torch.float32


def test_zero_counts_as_positive_where_signs_are_kept():
    model = standin.model()
    module = next(iter(monotone.matrices(model, constraint()).values()))
    with torch.no_grad():
        module.weight[0] = 0.0
    monotone.constrain(model, constraint("sign_frozen"))
    assert (module.weight[0] > 0).all()


def test_half_precision_weights_are_inverted_in_fp32():
    """In bf16 the plain form is off by more than a tenth for weights of the usual size."""
    model = standin.model()
    with torch.no_grad():
        for module in monotone.matrices(model, constraint()).values():
            module.weight.mul_(0.05)
    half = model.to(torch.bfloat16)
    module = next(iter(monotone.matrices(half, constraint()).values()))
    weight = module.weight.clone()
    monotone.constrain(half, constraint())
    torch.testing.assert_close(module.weight, weight.float().abs() + monotone.EPSILON, rtol=1e-5, atol=0)
    plain = torch.log(torch.exp(weight.abs() + monotone.EPSILON) - 1)
    error = (torch.nn.functional.softplus(plain.float()) / weight.float().abs() - 1).abs()
    assert error.nanmedian() > 0.02


@pytest.mark.parametrize(("make", "count"), [(standin.model, 8), (gated, 9)])
@pytest.mark.parametrize("mode", MODES)
def test_every_feed_forward_matrix_of_both_stacks_is_found(make, count, mode):
    model = make()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    monotone.constrain(model, constraint(mode))
    monotone.verify(model, constraint(mode))
    constrained = [name for name, module in model.named_modules() if parametrize.is_parametrized(module)]
    assert len(constrained) == count
    assert {name.split(".")[0] for name in constrained} == {"encoder", "decoder"}
    facts = monotone.facts(model, constraint(mode))
    schemas.ConstraintFacts.model_validate(facts)
    assert facts["matrices"] == count
    assert facts["parameters"] == count * 16 * 32
    assert facts["share"] == facts["parameters"] / parameters


def test_relu_is_monotone_and_a_gated_gelu_is_not():
    one, other = standin.model(), gated()
    assert monotone.facts(one, constraint())["activation_monotone"] is True
    facts = monotone.facts(other, constraint())
    assert (facts["activation"], facts["activation_monotone"]) == ("gated-gelu", False)
    one.config.dense_act_fn = "mystery"
    with pytest.raises(BadInput, match="'mystery': not known"):
        monotone.facts(one, constraint())


@pytest.mark.parametrize("make", [standin.model, gated])
@pytest.mark.parametrize("mode", MODES)
def test_folding_keeps_every_logit_and_leaves_a_plain_model(make, mode, encoding):
    model = make()
    names = set(model.state_dict())
    plain = logits(model, encoding)
    monotone.constrain(model, constraint(mode))
    constrained = logits(model, encoding)
    with monotone.cached(model):
        assert torch.equal(logits(model, encoding), constrained)
    monotone.fold(model)
    assert torch.equal(logits(model, encoding), constrained)
    assert not torch.allclose(constrained, plain, atol=1e-2) or mode == "sign_frozen"
    assert set(model.state_dict()) == names
    assert {type(module).__name__ for module in monotone.matrices(model, constraint()).values()} == {"Linear"}
    monotone.verify(model, constraint(mode))


def test_a_step_of_training_keeps_weights_from_falling_below_zero(encoding):
    model = standin.model().requires_grad_(True)
    monotone.constrain(model, constraint())
    optimizer = torch.optim.SGD(model.parameters(), lr=1000.0)
    pairs = learnable.pairs(5)
    batch = batches.collate([p.input_ids for p in pairs], [p.target_ids for p in pairs], encoding, "cpu")
    losses.per_example(losses.logits(model, batch, encoding), batch["labels"])[0].sum().backward()
    optimizer.step()
    monotone.verify(model, constraint())
    free = [module.parametrizations.weight.original for module in monotone.matrices(model, constraint()).values()]
    assert min(value.min().item() for value in free) < -100


@pytest.mark.parametrize("value", [-1e-9, float("nan")])
@pytest.mark.parametrize("which", [0, -1])
def test_one_bad_weight_anywhere_is_found(which, value):
    model = standin.model()
    monotone.constrain(model, constraint())
    monotone.fold(model)
    name, module = list(monotone.matrices(model, constraint()).items())[which]
    with torch.no_grad():
        module.weight[3, 4] = value
    with pytest.raises(BadInput, match=name):
        monotone.verify(model, constraint())
    monotone.verify(model, constraint("abs_init_free"))


def test_an_unconstrained_model_is_not_nonnegative():
    with pytest.raises(BadInput, match="promises none below 0"):
        monotone.verify(standin.model(), constraint())


def test_a_half_constrained_model_is_an_error():
    model = standin.model()
    monotone.constrain(model, constraint())
    module = next(iter(monotone.matrices(model, constraint()).values()))
    parametrize.remove_parametrizations(module, "weight")
    with pytest.raises(BadInput, match="7 of 8 matrices are constrained"):
        monotone.verify(model, constraint())


def test_constraining_twice_is_an_error():
    model = standin.model()
    monotone.constrain(model, constraint())
    with pytest.raises(BadInput, match="constrained already"):
        monotone.constrain(model, constraint())


def test_a_scope_that_misses_matrices_is_an_error(monkeypatch):
    """The published code's pattern missed gated models; and a pattern that matches nothing must not pass in silence."""
    model = gated()
    for pattern, count in ((r"\.DenseReluDense\.(wi|wo)$", 3), (r"\.mlp\.", 0)):
        monkeypatch.setitem(monotone.MATRICES, ("t5", "mlp_both"), monotone.re.compile(pattern))
        for function in (monotone.constrain, monotone.verify, monotone.facts):
            with pytest.raises(BadInput, match=rf"matches {count} matrices .* demands 9"):
                function(model, constraint())


def tiny(kind, **options):
    """A model of two layers, width 16, feed-forward width 32, from the class that the hub's files ask for."""
    import transformers

    if kind == "t5":
        return standin.model()
    config = transformers.AutoConfig.for_model(
        kind,
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_attention_heads=4,
        num_hidden_layers=2,
        pad_token_id=0,
        attn_implementation=checkpoints.ATTENTION,
        **options,
    )
    if kind != "gpt_neox":
        config.num_key_value_heads, config.head_dim = 2, 4
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config)


GATED = {
    "gated_updown": {"mlp.up_proj": (32, 16), "mlp.down_proj": (16, 32)},
    "gated_all": {"mlp.up_proj": (32, 16), "mlp.down_proj": (16, 32), "mlp.gate_proj": (32, 16)},
}
# What each scope constrains in each layer: module and shape.
SCOPES = {
    "t5": {
        "mlp_in": {"DenseReluDense.wi": (32, 16)},
        "mlp_both": {"DenseReluDense.wi": (32, 16), "DenseReluDense.wo": (16, 32)},
    },
    "gpt_neox": {
        "mlp_in": {"mlp.dense_h_to_4h": (32, 16)},
        "mlp_both": {"mlp.dense_h_to_4h": (32, 16), "mlp.dense_4h_to_h": (16, 32)},
        "mlp_in_attn_out": {"mlp.dense_h_to_4h": (32, 16), "attention.dense": (16, 16)},
    },
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), GATED),
}


@pytest.mark.parametrize(("kind", "scope"), [(kind, scope) for kind, scopes in SCOPES.items() for scope in scopes])
def test_a_scope_is_these_modules_in_every_layer_and_no_others(kind, scope):
    model = tiny(kind)
    chosen = Constraint(mode="nonneg", scope=scope)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    others = {name: p.detach().clone() for name, p in model.named_parameters() if p.ndim < 2}
    monotone.constrain(model, chosen)
    monotone.verify(model, chosen)
    constrained = {name: m.weight for name, m in model.named_modules() if parametrize.is_parametrized(m)}
    layers = 4 if kind == "t5" else 2
    for part, shape in SCOPES[kind][scope].items():
        assert [tuple(weight.shape) for name, weight in constrained.items() if name.endswith(f".{part}")] == [
            shape
        ] * layers
    assert len(constrained) == layers * len(SCOPES[kind][scope])
    monotone.fold(model)
    monotone.verify(model, chosen)
    facts = monotone.facts(model, chosen)
    schemas.ConstraintFacts.model_validate(facts)
    expected = layers * sum(rows * columns for rows, columns in SCOPES[kind][scope].values())
    assert (facts["matrices"], facts["parameters"]) == (len(constrained), expected)
    assert facts["share"] == expected / parameters
    assert (facts["activation"], facts["activation_monotone"]) == {
        "t5": ("relu", True),
        "gpt_neox": ("gelu", False),
    }.get(kind, ("gated-silu", False))
    # Biases and norms stay as they were.
    after = dict(model.named_parameters())
    assert others
    assert all(torch.equal(after[name], before) for name, before in others.items())


@pytest.mark.parametrize("kind", SCOPES)
def test_a_scope_of_another_architecture_is_an_error_that_names_one_s_own(kind):
    model = tiny(kind)
    for scope in {"mlp_in", "mlp_both", "mlp_in_attn_out", "gated_updown", "gated_all"} - set(SCOPES[kind]):
        known = ", ".join(SCOPES[kind])
        with pytest.raises(BadInput, match=rf"'{scope}' is not defined for a {kind} model, whose scopes are: {known}$"):
            monotone.constrain(model, Constraint(mode="nonneg", scope=scope))


@pytest.mark.parametrize(("kind", "missing"), [("gpt_neox", "dense_4h_to_h"), ("llama", "up_proj")])
def test_a_decoder_that_lacks_a_matrix_is_an_error(kind, missing):
    model = tiny(kind)
    (model.gpt_neox if kind == "gpt_neox" else model.model).layers[1].mlp.register_module(missing, None)
    own = learnable.CONSTRAINTS[kind]
    with pytest.raises(BadInput, match=r"matches 3 matrices .* demands 4: .* scopes are: ") as caught:
        monotone.constrain(model, own)
    assert "\n" not in str(caught.value)


def test_a_tied_matrix_counts_once():
    for kind in ("gpt_neox", "llama"):
        scope = Constraint(mode="nonneg", scope="mlp_both" if kind == "gpt_neox" else "gated_all")
        tied, untied = (tiny(kind, tie_word_embeddings=tie) for tie in (True, False))
        sizes = [
            monotone.facts(model, scope)["parameters"] / monotone.facts(model, scope)["share"]
            for model in (tied, untied)
        ]
        assert round(sizes[1] - sizes[0]) == 50 * 16


def test_a_relu_decoder_is_monotone_in_its_activation():
    facts = monotone.facts(tiny("gpt_neox", hidden_act="relu"), constraint())
    assert (facts["activation"], facts["activation_monotone"]) == ("relu", True)
    facts = monotone.facts(tiny("llama", hidden_act="relu"), learnable.CONSTRAINTS["llama"])
    assert (facts["activation"], facts["activation_monotone"]) == ("gated-relu", False)


def test_an_unknown_architecture_is_an_error():
    model = standin.model()
    model.config.model_type = "mystery"
    with pytest.raises(BadInput, match="not defined for a mystery model, whose scopes are: none"):
        monotone.constrain(model, constraint())


@pytest.mark.parametrize("kind", ["gpt_neox", "llama"])
def test_folding_keeps_every_logit_of_a_decoder(kind, text_encoding):
    model = architectures.build(learnable.SCRATCHES[kind], text_encoding).eval().requires_grad_(False)
    made = learnable.blocks(3)
    batch = batches.collate([p.input_ids for p in made], [p.target_ids for p in made], text_encoding, "cpu")
    names = set(model.state_dict())
    monotone.constrain(model, learnable.CONSTRAINTS[kind])
    constrained = losses.logits(model, batch, text_encoding)
    with monotone.cached(model):
        assert torch.equal(losses.logits(model, batch, text_encoding), constrained)
    monotone.fold(model)
    assert torch.equal(losses.logits(model, batch, text_encoding), constrained)
    assert set(model.state_dict()) == names


def test_the_parametrized_model_trains_in_every_mode(encoding):
    for mode in MODES:
        model = architectures.build(learnable.SCRATCH, encoding)
        monotone.constrain(model, constraint(mode))
        pairs = learnable.pairs(5)
        batch = batches.collate([p.input_ids for p in pairs], [p.target_ids for p in pairs], encoding, "cpu")
        with monotone.cached(model):
            losses.per_example(losses.logits(model, batch, encoding), batch["labels"])[0].sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
