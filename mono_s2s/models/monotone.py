"""The constraint: feed-forward weights that cannot be negative.

Each matrix W of the declared scope is replaced by a function of a free parameter V of the same shape:

    nonneg         W = softplus(V),             V0 = log(expm1(|W0| + eps))
    sign_frozen    W = sign(W0) softplus(V),    V0 as above; sign(0) = +1      (control: same curve, signs kept)
    abs_init_free  W = V,                       V0 = |W0| + eps                (control: same start, no constraint)

so that at the start |W| = |W0| + eps. `nonneg` and `abs_init_free` destroy the signs that pretraining found, about half
of them: a start far worse than the pretrained model's, which the loss before the first step shows.

Linear biases are not constrained, nor are norms: a non-negative matrix is monotone whatever is added to its product.

V takes no weight decay in any mode: decay would pull softplus(V) towards softplus(0) = ln 2, which grows small weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from mono_s2s.files import BadInput
from mono_s2s.models import families
from mono_s2s.scale import Constraint

EPSILON = 1e-4
FORMULAS = {
    "nonneg": "W = softplus(V)",
    "sign_frozen": "W = sign(W0) softplus(V)",
    "abs_init_free": "W = V, V0 = |W0| + eps",
}
# Which matrices a scope means, by family (`config.model_type`): the ends of their modules' names.
MATRICES = {
    ("t5", "mlp_in"): re.compile(r"\.DenseReluDense\.(wi|wi_0|wi_1)$"),
    ("t5", "mlp_both"): re.compile(r"\.DenseReluDense\.(wi|wi_0|wi_1|wo)$"),
    ("gpt_neox", "mlp_in"): re.compile(r"\.mlp\.dense_h_to_4h$"),
    ("gpt_neox", "mlp_both"): re.compile(r"\.mlp\.(dense_h_to_4h|dense_4h_to_h)$"),
    ("gpt_neox", "mlp_in_attn_out"): re.compile(r"\.(mlp\.dense_h_to_4h|attention\.dense)$"),
}
for _family in ("llama", "mistral", "qwen2", "qwen3"):
    MATRICES[_family, "gated_updown"] = re.compile(r"\.mlp\.(up_proj|down_proj)$")
    MATRICES[_family, "gated_all"] = re.compile(r"\.mlp\.(gate_proj|up_proj|down_proj)$")
# How many matrices of a scope each layer has, where its feed-forward part is plain and where it is gated. Counted apart
# from the names above, so that a pattern that no longer fits the modules' names is seen.
PER_LAYER = {
    "mlp_in": {False: 1, True: 2},
    "mlp_both": {False: 2, True: 3},
    "mlp_in_attn_out": {False: 2},
    "gated_updown": {True: 2},
    "gated_all": {True: 3},
}
# Each of them rises everywhere, or it does not: GELU and SiLU fall below 0 before they rise.
MONOTONE_ACTIVATIONS = {
    "relu": True,
    "gelu": False,
    "gelu_fast": False,
    "gelu_new": False,
    "gelu_pytorch_tanh": False,
    "silu": False,
    "swish": False,
}


def inverse_softplus(weight: torch.Tensor) -> torch.Tensor:
    """log(expm1(x)) for x > 0, computed in fp32 as x + log(-expm1(-x)): no overflow, no cancellation near 0."""
    x = weight.float()
    return x + torch.log(-torch.expm1(-x))


class _Softplus(nn.Module):
    def forward(self, free: torch.Tensor) -> torch.Tensor:
        return nn.functional.softplus(free)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        return inverse_softplus(weight.float().abs() + EPSILON)


class _SignedSoftplus(_Softplus):
    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("negative", weight < 0)

    def forward(self, free: torch.Tensor) -> torch.Tensor:
        positive = super().forward(free)
        return torch.where(self.negative, -positive, positive)


class _Free(nn.Module):
    def forward(self, free: torch.Tensor) -> torch.Tensor:
        # Not `free` itself, which would make the matrix a leaf in one mode and not in the others.
        return free.view_as(free)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        return weight.float().abs() + EPSILON


def scopes(config: Any) -> list[str]:
    """The scopes that are defined for a model of this configuration."""
    return [scope for family, scope in MATRICES if family == config.model_type]


def expected(config: Any, constraint: Constraint) -> int:
    """How many matrices the scope has in a model of this configuration: layers x matrices in each.

    Raises:
        BadInput: the scope is not defined for this architecture; names those that are.
    """
    if constraint.scope not in scopes(config):
        known = ", ".join(scopes(config)) or "none"
        raise BadInput(
            f"train.constraint.scope: {constraint.scope!r} is not defined for a {config.model_type} model, "
            f"whose scopes are: {known}"
        )
    return sum(families.layers(config)) * PER_LAYER[constraint.scope][families.gated(config)]


def matrices(model: nn.Module, constraint: Constraint) -> dict[str, nn.Linear]:
    """The modules whose weights the scope names, by their names.

    Raises:
        BadInput: their number is not the one that the configuration demands, none at all included.
    """
    count = expected(model.config, constraint)
    pattern = MATRICES[model.config.model_type, constraint.scope]
    found = {name: module for name, module in model.named_modules() if pattern.search(name)}
    if len(found) != count or not found:
        raise BadInput(
            f"train.constraint.scope: {constraint.scope!r} matches {len(found)} matrices of {type(model).__name__}, "
            f"its configuration demands {count}: the scope's pattern does not fit this architecture, "
            f"whose scopes are: {', '.join(scopes(model.config))}"
        )
    return found


def constrain(model: nn.Module, constraint: Constraint) -> None:
    """Replace every matrix of the scope by its parametrization, in place; V is fp32 whatever W was.

    Raises:
        BadInput: the scope does not match the model, or the model is constrained already.
    """
    for name, module in matrices(model, constraint).items():
        if parametrize.is_parametrized(module):
            raise BadInput(f"{name}: constrained already; constrain a model once")
        weight = module.weight.detach()
        if constraint.mode == "nonneg":
            parametrization: nn.Module = _Softplus()
        elif constraint.mode == "sign_frozen":
            parametrization = _SignedSoftplus(weight)
        else:
            parametrization = _Free()
        # V is computed and kept in fp32: in bf16 expm1 cancels and small steps of V round to nothing.
        module.float()
        parametrize.register_parametrization(module, "weight", parametrization)


def is_free(name: str) -> bool:
    """Whether a parameter of this name is the V of a constrained matrix."""
    return ".parametrizations." in name


@contextmanager
def cached(model: nn.Module) -> Iterator[None]:
    """Compute each W once in the block: a model may read a weight several times a forward pass.

    Every W is computed at once, so that gradient checkpointing, which replays parts of the forward pass, finds the same
    graph both times.
    """
    with parametrize.cached():
        for module in model.modules():
            if parametrize.is_parametrized(module):
                _ = module.weight
        yield


def verify(model: nn.Module, constraint: Constraint) -> None:
    """Check the constraint on a constrained or folded model.

    Raises:
        BadInput: not the expected number of matrices, some constrained and some not, or with `nonneg` a weight that is
            negative or NaN; names the matrix.
    """
    found = matrices(model, constraint)
    constrained = [name for name, module in found.items() if parametrize.is_parametrized(module, "weight")]
    if constrained and len(constrained) != len(found):
        raise BadInput(f"{len(constrained)} of {len(found)} matrices are constrained: constrain all or none")
    if constraint.mode != "nonneg":
        return
    for name, module in found.items():
        smallest = module.weight.min().item()
        if not smallest >= 0:
            raise BadInput(
                f"{name}: smallest weight {smallest}, but train.constraint.mode nonneg promises none below 0"
            )


def fold(model: nn.Module) -> None:
    """Replace every parametrization by the plain W that it stands for, in place; the outputs stay the same."""
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def facts(model: nn.Module, constraint: Constraint) -> dict[str, Any]:
    """What was constrained, as `evidence.schemas.ConstraintFacts` holds it.

    Raises:
        BadInput: the scope does not match, or it is not known whether the activation is monotone.
    """
    found = matrices(model, constraint)
    parameters = sum(module.weight.numel() for module in found.values())
    family, gated = families.family(model.config), families.gated(model.config)
    activation, called = getattr(model.config, family.activation), getattr(model.config, family.called)
    if activation not in MONOTONE_ACTIVATIONS:
        raise BadInput(f"activation {activation!r}: not known whether it is monotone: add it to models.monotone")
    return {
        "mode": constraint.mode,
        "scope": constraint.scope,
        "formula": FORMULAS[constraint.mode],
        "matrices": len(found),
        "parameters": parameters,
        "share": parameters / sum(parameter.numel() for parameter in model.parameters()),
        "minimum_weight": min(module.weight.min().item() for module in found.values()),
        "activation": f"gated-{called.removeprefix('gated-')}" if gated else called,
        # A product of two branches is not monotone, however monotone each of them is.
        "activation_monotone": MONOTONE_ACTIVATIONS[activation] and not gated,
    }
