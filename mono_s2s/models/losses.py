"""Negative log-likelihood in nats, for each example, in fp32. The one loss of training, evaluation and attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from mono_s2s.compute import autocast
from mono_s2s.corpus.reading import Encoding
from mono_s2s.models.batches import IGNORED, by_length, collate
from mono_s2s.scale import Compute

# Logits of which fp32 copies are held at once: 256 MiB each. A vocabulary of 50,000 at length 2048 has 400 MiB a text.
ENTRIES = 2**26


def decoder_inputs(labels: torch.Tensor, encoding: Encoding) -> torch.Tensor:
    """(B, T) int64: the labels shifted right by one, the start id in front, padding ids where labels are ignored."""
    shifted = torch.full_like(labels, encoding.start_id)
    shifted[:, 1:] = labels[:, :-1]
    return shifted.masked_fill(shifted == IGNORED, encoding.pad_id)


def logits(model: torch.nn.Module, batch: Mapping[str, torch.Tensor], encoding: Encoding) -> torch.Tensor:
    """(B, T, V): the model's logits for a batch of `batches.collate`; `inputs_embeds` in it stands for `input_ids`.

    Position t is that of label t; a decoder-only model's output matrix is applied to those positions alone.
    """
    inputs = {name: batch[name] for name in ("input_ids", "inputs_embeds", "attention_mask") if name in batch}
    # Not `labels=`: the model's own loss is a mean over the batch, computed through a transposed copy of the logits.
    if encoding.architecture == "decoder-only":
        kept = batch["labels"].shape[1]
        return model(**inputs, logits_to_keep=kept, use_cache=False).logits
    output = model(**inputs, decoder_input_ids=decoder_inputs(batch["labels"], encoding), use_cache=False)
    return output.logits


def _cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    # Flat: the two-dimensional kernel has no deterministic form on CUDA.
    return functional.cross_entropy(logits.float(), labels, ignore_index=IGNORED, reduction="none")


def per_example(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Negative log-likelihood of each example; differentiable.

    Beyond `ENTRIES` logits it takes some rows at a time and, for gradients, computes them again instead of keeping
    fp32 copies of all. A row's loss depends on its own logits alone, so no bit of it depends on that.

    Args:
        logits: (B, T, V), any floating type.
        labels: (B, T) int64, -100 where nothing is to be predicted.

    Returns:
        (B,) fp32 sums in nats, (B,) int64 numbers of tokens that were scored.
    """
    flat, wanted = logits.flatten(0, 1), labels.flatten()
    rows = max(1, ENTRIES // logits.shape[-1])
    if len(flat) <= rows:
        nats = _cross_entropy(flat, wanted)
    else:
        # `split` and not slices: its gradient is put together once, theirs is a whole one for each slice.
        parts = zip(flat.split(rows), wanted.split(rows), strict=True)
        nats = torch.cat(
            [checkpoint(_cross_entropy, *part, use_reentrant=False, preserve_rng_state=False) for part in parts]
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
