"""First-order estimates: how much would the loss rise if another token stood here?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mono_s2s.compute import autocast
from mono_s2s.corpus.reading import Encoding
from mono_s2s.models import losses
from mono_s2s.models.batches import collate
from mono_s2s.scale import Compute

# Entries of a (positions, allowed tokens) table that are held at once: 256 MiB in fp32.
TABLE = 2**26
# Inputs in one pass without gradients on a CPU, whatever a caller asks for: with more, activations leave the cache
# (benchmarks/attacks.py).
CPU_ROWS = 32
# Attention scores that are held at once on a GPU: 8 GiB in fp32. A sequence of 2048 tokens has 2**26 in each layer of a
# model of 16 heads; the default kernels (`checkpoints.ATTENTION`) write them all out.
SCORES = 2**31
# Relative. The same input in batches of two sizes differs by rounding; that is no rise.
ROUNDING = 1e-6

# A gradient costs one forward and one backward pass, and a backward pass about two forward passes. A search without
# gradients gets as many exact losses more for each step.
GRADIENT_COST = 3


def rises(loss: float, standing: float) -> bool:
    """Whether a loss is above the standing one by more than rounding."""
    return loss > standing + ROUNDING * abs(standing)


def rows_at_once(config: Any, width: int, *, differentiated: bool) -> int:
    """How many sequences of `width` tokens a GPU takes at once, by SCORES; with gradients every layer's scores stay."""
    layers = config.num_hidden_layers if differentiated else 1
    return max(1, SCORES // (config.num_attention_heads * width * width * layers))


def _longest(inputs: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> int:
    return max(len(source) + len(target) for source, target in zip(inputs, targets, strict=True))


def exact(
    model: torch.nn.Module,
    inputs: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    encoding: Encoding,
    compute: Compute,
    batch_size: int,
) -> torch.Tensor:
    """(n,) fp32 on the CPU: the loss of each target given its input, in nats; batches in the given order.

    `batch_size` is a bound: a CPU takes at most CPU_ROWS at a time, a GPU what SCORES allows.
    """
    found = []
    if model.device.type == "cpu":
        batch_size = min(batch_size, CPU_ROWS)
    else:
        width = _longest(inputs, targets)
        batch_size = min(batch_size, rows_at_once(model.config, width, differentiated=False))
    with torch.no_grad(), autocast(compute):
        for start in range(0, len(inputs), batch_size):
            some = slice(start, start + batch_size)
            batch = collate(inputs[some], targets[some], encoding, model.device)
            nats, _ = losses.per_example(losses.logits(model, batch, encoding), batch["labels"])
            found.append(nats.cpu())
    return torch.cat(found)


def embedding_gradients(
    model: torch.nn.Module,
    inputs: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    encoding: Encoding,
    compute: Compute,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient of each example's loss with respect to its input embeddings.

    Examples of a batch do not meet inside the model, so the gradient of the sum is every example's own.

    Args:
        model: in evaluation mode, parameters frozen (they must not collect gradients of their own).
        inputs: B packed inputs.
        targets: B targets.
        encoding: padding id and start id.
        compute: precision.

    Returns:
        (B, L, d) fp32 gradients of the losses in nats, and the (B,) losses.
    """
    if model.device.type != "cpu":
        rows = rows_at_once(model.config, _longest(inputs, targets), differentiated=True)
        if rows < len(inputs):
            return _in_parts(model, inputs, targets, encoding, compute, rows)
    batch = collate(inputs, targets, encoding, model.device)
    embeddings = model.get_input_embeddings()(batch.pop("input_ids")).detach().requires_grad_(True)
    with torch.enable_grad(), autocast(compute):
        nats, _ = losses.per_example(
            losses.logits(model, batch | {"inputs_embeds": embeddings}, encoding), batch["labels"]
        )
    (gradients,) = torch.autograd.grad(nats.sum(), embeddings)
    return gradients.float(), nats.detach()


def _in_parts(
    model: torch.nn.Module,
    inputs: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    encoding: Encoding,
    compute: Compute,
    rows: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`embedding_gradients`, at most `rows` examples at a time; shorter parts are filled with zeros to one length."""
    parts = [
        embedding_gradients(model, inputs[start : start + rows], targets[start : start + rows], encoding, compute)
        for start in range(0, len(inputs), rows)
    ]
    width = max(table.shape[1] for table, _ in parts)
    tables = [torch.nn.functional.pad(table, (0, 0, 0, width - table.shape[1])) for table, _ in parts]
    return torch.cat(tables), torch.cat([nats for _, nats in parts])


def best_tokens(
    gradients: torch.Tensor, current: torch.Tensor, weight: torch.Tensor, allowed: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """For each position the tokens that would raise the loss most, to first order.

    Token v in place of token u changes the loss by about g . (E_v - E_u) (Ebrahimi et al., 2018, "HotFlip",
    equation 10), where g is the gradient at the position's embedding. The current token itself is left out.

    Args:
        gradients: (P, d).
        current: (P,) int64, the tokens that stand there.
        weight: (V, d), the embedding matrix.
        allowed: (A,) int64, the ids that may be written.
        count: how many, k = min(count, A).

    Returns:
        (P, k) estimated changes in nats, best first, -inf for the current token, and (P, k) int64 ids.
    """
    count = min(count, len(allowed))
    candidates = weight[allowed]  # (A, d)
    # (P,): g . E_u
    standing = (gradients * weight[current]).sum(dim=1)
    values, tokens = [], []
    step = max(1, TABLE // len(allowed))
    for start in range(0, len(gradients), step):
        some = slice(start, start + step)
        # (p, A)
        change = gradients[some] @ candidates.T - standing[some, None]
        change = change.masked_fill(allowed[None, :] == current[some, None], float("-inf"))
        value, index = change.topk(count, dim=1)
        values.append(value)
        tokens.append(allowed[index])
    return torch.cat(values), torch.cat(tokens)
