"""Negative log-likelihood in nats, for each example, in fp32. The one loss of training, evaluation and attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional

from mono_s2s.compute import autocast
from mono_s2s.corpus.reading import Encoding
from mono_s2s.models.batches import IGNORED, by_length, collate
from mono_s2s.scale import Compute


def decoder_inputs(labels: torch.Tensor, encoding: Encoding) -> torch.Tensor:
    """(B, T) int64: the labels shifted right by one, the start id in front, padding ids where labels are ignored."""
    shifted = torch.full_like(labels, encoding.start_id)
    shifted[:, 1:] = labels[:, :-1]
    return shifted.masked_fill(shifted == IGNORED, encoding.pad_id)


def logits(model: torch.nn.Module, batch: Mapping[str, torch.Tensor], encoding: Encoding) -> torch.Tensor:
    """(B, T, V): the model's logits for a batch of `batches.collate`; `inputs_embeds` in it stands for `input_ids`."""
    inputs = {name: batch[name] for name in ("input_ids", "inputs_embeds", "attention_mask") if name in batch}
    # Not `labels=`: the model's own loss is a mean over the batch, computed through a transposed copy of the logits.
    output = model(**inputs, decoder_input_ids=decoder_inputs(batch["labels"], encoding), use_cache=False)
    return output.logits


def per_example(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Negative log-likelihood of each example; differentiable.

    Args:
        logits: (B, T, V), any floating type.
        labels: (B, T) int64, -100 where nothing is to be predicted.

    Returns:
        (B,) fp32 sums in nats, (B,) int64 numbers of tokens that were scored.
    """
    # Flat: the two-dimensional kernel has no deterministic form on CUDA.
    nats = functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return nats.view(labels.shape).sum(dim=1), (labels != IGNORED).sum(dim=1)


def nll(
    model: torch.nn.Module,
    inputs: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    encoding: Encoding,
    compute: Compute,
    batch_size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Negative log-likelihood of each target given its input, without gradients; the model's mode is left as it is.

    The batch size and the thread count decide the order of sums and so the last bits; both are parameters.

    Returns:
        (n,) float64 nats and (n,) int64 tokens, in the given order.
    """
    device = next(model.parameters()).device
    nats, tokens = np.zeros(len(inputs)), np.zeros(len(inputs), dtype=np.int64)
    with torch.no_grad(), autocast(compute):
        for indices in by_length([len(sequence) for sequence in inputs], batch_size):
            batch = collate([inputs[i] for i in indices], [targets[i] for i in indices], encoding, device)
            some_nats, some_tokens = per_example(logits(model, batch, encoding), batch["labels"])
            nats[indices], tokens[indices] = some_nats.double().cpu().numpy(), some_tokens.cpu().numpy()
    return nats, tokens
