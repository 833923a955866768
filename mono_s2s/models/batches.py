"""Token ids to tensors: right-padded batches, and batches of similar lengths.

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
    _check(sequences)
    longest = max(width, max(len(sequence) for sequence in sequences))
    return torch.tensor([[*sequence, *[fill] * (longest - len(sequence))] for sequence in sequences])


def _check(sequences: Sequence[Sequence[int]]) -> None:
    if not sequences or not all(len(sequence) for sequence in sequences):
        raise BadInput("a batch holds no sequence or an empty one: the corpus lets neither through, so build it again")


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

    An encoder-decoder model gets inputs and targets apart. A decoder-only model gets each input with its target behind
    it as one sequence, without that sequence's last token, which is predicted and never read; positions of the input
    keep their indices. Its output matrix is needed only from the first position that predicts a target, so the labels
    belong to the last W positions: W is the longest sequence less the shortest input.

    Args:
        inputs: packed input ids; for an encoder-decoder model each ends in eos.
        targets: target ids, one an input; None for generation, which decoder-only models do not do here.
        encoding: gives the architecture and the padding id.
        device: where the tensors go.
        input_width: pad inputs at least to this length (in tokens); 0 for no more than the batch needs.
        target_width: the same for targets; of a decoder-only model the sequences, to the sum of both.

    Returns:
        input_ids (B, L) int64, attention_mask (B, L) int64 (1 where there is a token) and, with targets, labels (B, T)
        or (B, W) int64 with -100 for padding and for positions that predict a token of the input. The mask comes from
        the lengths, so a padding id inside an input stays visible.

    Raises:
        BadInput: empty batch or sequence, not one target an input, or a decoder-only model without targets.
    """
    if targets is not None and len(targets) != len(inputs):
        raise BadInput(f"{len(inputs)} inputs with {len(targets)} targets: one target an input")
    if encoding.architecture == "decoder-only":
        if targets is None:
            raise BadInput("a batch without targets: only an encoder-decoder model generates, so give it targets")
        labels = _continued(inputs, targets, input_width + target_width)
        inputs = [[*ids, *target][:-1] for ids, target in zip(inputs, targets, strict=True)]
        input_ids = padded(inputs, encoding.pad_id, input_width + target_width - 1)
    else:
        labels = None if targets is None else padded(targets, IGNORED, target_width)
        input_ids = padded(inputs, encoding.pad_id, input_width)
    lengths = torch.tensor([len(sequence) for sequence in inputs])
    mask = (torch.arange(input_ids.shape[1])[None, :] < lengths[:, None]).long()
    batch = {"input_ids": input_ids.to(device), "attention_mask": mask.to(device)}
    if labels is not None:
        batch["labels"] = labels.to(device)
    return batch


def _continued(inputs: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], width: int) -> torch.Tensor:
    """(B, W) int64: what the last W positions of the joint sequences predict."""
    _check(inputs)
    _check(targets)
    shortest = min(len(ids) for ids in inputs)
    rows = [[IGNORED] * (len(ids) - shortest) + list(target) for ids, target in zip(inputs, targets, strict=True)]
    return padded(rows, IGNORED, width - shortest)


def by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Indices in batches of `size`, sorted by length (ties by index), for inference with little padding."""
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    return [order[start : start + size] for start in range(0, len(order), size)]
