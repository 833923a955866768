"""Beam search, batched, with every setting stated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from mono_s2s import compute as computing
from mono_s2s import progress
from mono_s2s.corpus.reading import Encoding
from mono_s2s.models import batches
from mono_s2s.scale import Compute, Decoding


def settings(decoding: Decoding) -> dict[str, Any]:
    """What results record about decoding: the scale's settings and the fixed ones."""
    return {
        **decoding.model_dump(),
        "search": "beam",
        "sampling": False,
        # A search ends once it has as many finished beams as beams; without beams there is nothing to stop early.
        "early_stopping": decoding.beams > 1,
    }


def configuration(decoding: Decoding, encoding: Encoding) -> GenerationConfig:
    """The library's configuration of `settings`; values that it leaves unset mean "off" in `generate`."""
    return GenerationConfig(
        max_new_tokens=decoding.max_new_tokens,
        min_new_tokens=decoding.min_new_tokens or None,
        num_beams=decoding.beams,
        num_return_sequences=1,
        do_sample=False,
        early_stopping=decoding.beams > 1,
        length_penalty=decoding.length_penalty,
        no_repeat_ngram_size=decoding.no_repeat_ngram,
        encoder_no_repeat_ngram_size=0,
        repetition_penalty=1.0,
        use_cache=True,
        pad_token_id=encoding.pad_id,
        eos_token_id=encoding.eos_id,
        decoder_start_token_id=encoding.start_id,
    )


def generate(
    model: torch.nn.Module,
    inputs: Sequence[Sequence[int]],
    decoding: Decoding,
    encoding: Encoding,
    compute: Compute,
) -> list[list[int]]:
    """The ids that a model writes for each input, in the order given.

    Inputs of like length share a batch, so little is padded. The checkpoint's own generation settings are set aside:
    the library fills whatever a caller leaves unset from them, and every model must decode alike.

    Args:
        model: an encoder-decoder model in evaluation mode.
        inputs: n packed inputs.
        decoding: beams, penalties, lengths, batch size.
        encoding: special ids.
        compute: precision.

    Returns:
        n lists of ids up to the end of sequence, without start, padding and other special ids and ids that no
        tokenizer entry stands behind: exactly those that `encoding.decode` shows.
    """
    stated = configuration(decoding, encoding)
    written: list[list[int]] = [[] for _ in inputs]
    groups = batches.by_length([len(ids) for ids in inputs], decoding.batch_size)
    own, model.generation_config = model.generation_config, GenerationConfig()
    try:
        for group in progress.track(groups, "generate", len(groups)):
            # (B, L)
            batch = batches.collate([inputs[row] for row in group], None, encoding, model.device)
            with torch.inference_mode(), computing.autocast(compute):
                # (B, 1 + T)
                found = model.generate(**batch, generation_config=stated)
            for row, line in zip(group, found.tolist(), strict=True):
                written[row] = strip(line[1:], encoding)
    finally:
        model.generation_config = own
    return written


def strip(ids: Sequence[int], encoding: Encoding) -> list[int]:
    """`ids` up to the first end of sequence, without special ids and ids beyond the tokenizer."""
    end = ids.index(encoding.eos_id) if encoding.eos_id in ids else len(ids)
    special = encoding.forbidden_ids | {encoding.pad_id, encoding.start_id}
    return [token for token in ids[:end] if token not in special and token < encoding.vocabulary]
