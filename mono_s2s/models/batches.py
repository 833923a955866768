"""Token ids to tensors: right-padded batches, and batches of equal lengths.

Nothing is truncated here; `corpus.reading.Encoding.pack` is the only place where that happens.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mono_s2s.corpus.reading import Encoding
from mono_s2s.files import BadInput

# What a label of this value says to every loss: not a target.
IGNORED = -100


def padded(sequences: Sequence[Sequence[int]], fill: int, width: int = 0) -> torch.Tensor:
    """(B, L) int64: the sequences, filled on the right to the longest of them, or to `width` where that is more.

    Raises:
        BadInput: there is no sequence, or one of them is empty.
    """
    if not sequences or not all(len(sequence) for sequence in sequences):
        raise BadInput("a batch holds no sequence or an empty one: the corpus lets neither through, so build it again")
    longest = max(width, max(len(sequence) for sequence in sequences))
    return torch.tensor([[*sequence, *[fill] * (longest - len(sequence))] for sequence in sequences])


def collate(
    inputs: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]] | None,
    encoding: Encoding,
    device: torch.device | str,
    *,
    input_width: int = 0,
    target_width: int = 0,
) -> dict[str, torch.Tensor]:
    """One batch.

    Args:
        inputs: packed input ids, each ending in eos.
        targets: target ids, each ending in eos, one an input; None for generation.
        encoding: gives the padding id.
        device: where the tensors go.
        input_width: pad inputs at least to this length (in tokens); 0 for no more than the batch needs.
        target_width: the same for targets.

    Returns:
        input_ids (B, L) int64, attention_mask (B, L) int64 (1 where there is a token) and, with targets, labels (B, T)
        int64 with -100 for padding. The mask comes from the lengths, so a padding id inside an input stays visible.

    Raises:
        BadInput: empty batch or sequence, or not one target an input.
    """
    if targets is not None and len(targets) != len(inputs):
        raise BadInput(f"{len(inputs)} inputs with {len(targets)} targets: one target an input")
    input_ids = padded(inputs, encoding.pad_id, input_width)
    lengths = torch.tensor([len(sequence) for sequence in inputs])
    mask = (torch.arange(input_ids.shape[1])[None, :] < lengths[:, None]).long()
    batch = {"input_ids": input_ids.to(device), "attention_mask": mask.to(device)}
    if targets is not None:
        batch["labels"] = padded(targets, IGNORED, target_width).to(device)
    return batch


def by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Indices in batches of `size`, sorted by length (ties by index), for inference with little padding."""
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    return [order[start : start + size] for start in range(0, len(order), size)]
