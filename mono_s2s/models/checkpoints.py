"""Checkpoints: safetensors and JSON, loadable by stock `transformers`. No pickle is read or written."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from mono_s2s import files
from mono_s2s.files import BadInput
from mono_s2s.models import families

WEIGHTS = "model.safetensors"
# Attention by plain matrix products: deterministic in both directions on every device, and at our lengths on a CPU as
# fast as the fused kernel (benchmarks/training.py).
ATTENTION = "eager"


def _complete(folder: Path) -> None:
    for name in (WEIGHTS, "config.json", "generation_config.json"):
        if not (folder / name).is_file():
            raise BadInput(f"{folder / name}: missing, the checkpoint is not complete: run `dvc repro` (or `dvc pull`)")


def _without_bars() -> None:
    # transformers draws bars of its own, whatever the terminal.
    from transformers.utils import logging

    logging.disable_progress_bar()


def digest(folder: Path) -> str:
    """SHA-256 of the weights file's bytes, hexadecimal.

    Raises:
        BadInput: the checkpoint is missing or incomplete.
    """
    _complete(folder)
    return files.sha256(folder / WEIGHTS)


def save(model: torch.nn.Module, data: Path, folder: Path) -> None:
    """Write a model with its tokenizer: weights, configuration, generation configuration, tokenizer files.

    The same weights give the same bytes. A constraint must have been folded (`monotone.fold`) before.

    Args:
        model: a `transformers` model.
        data: the corpus folder; the files of its tokenizer/ are copied.
        folder: where the checkpoint goes; replaced.

    Raises:
        BadInput: the model still holds a parametrization, there is no tokenizer, or the disk refuses.
    """
    constrained = [name for name, _ in model.named_parameters() if ".parametrizations." in name]
    if constrained:
        raise BadInput(f"{folder}: not written, {constrained[0]} is still parametrized: fold the constraint first")
    tokenizer = data / "tokenizer"
    if not (tokenizer / "tokenizer.json").is_file():
        raise BadInput(f"{tokenizer / 'tokenizer.json'}: missing: run stage corpus first")
    _without_bars()
    try:
        shutil.rmtree(folder, ignore_errors=True)
        # One file, so that its digest is the checkpoint's.
        model.save_pretrained(folder, max_shard_size="1000GB")
        for file in sorted(tokenizer.iterdir()):
            shutil.copyfile(file, folder / file.name)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BadInput(f"{folder}: cannot be written ({error.strerror or error}): make room and run again") from error
    _complete(folder)


def load(folder: Path, device: torch.device | str) -> torch.nn.Module:
    """A checkpoint's model on `device`: fp32, evaluation mode, no gradients for its parameters.

    Raises:
        BadInput: the checkpoint is missing, incomplete or damaged; there is no fallback.
    """
    _complete(folder)
    return read(folder).to(device).eval().requires_grad_(False)


def trainable(folder: Path, device: torch.device | str, dropout: float) -> torch.nn.Module:
    """A checkpoint's model on `device`, fp32, to be trained with this share of dropout wherever its family has any.

    Raises:
        BadInput: the checkpoint is missing, incomplete or damaged; there is no fallback.
    """
    _complete(folder)
    return read(folder, dropout=dropout).to(device)


def read(source: str | Path, *, revision: str | None = None, dropout: float | None = None) -> torch.nn.Module:
    """A model in fp32 from a folder, or by its name on the hub; from safetensors only.

    Its class follows from its configuration: sequence-to-sequence, or causal for a decoder-only model.

    Args:
        source: folder or name.
        revision: for a name.
        dropout: replaces the share of dropout in the configuration.

    Raises:
        BadInput: it cannot be found or read, is of no family that the studies know, or its weights are not exactly
            those that its configuration asks for. Buffers that old files hold and the family computes by itself, such
            as masks and rotary frequencies, may stand beside them.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    _without_bars()
    name = str(source)
    place = {} if revision is None else {"revision": revision}
    try:
        config = AutoConfig.from_pretrained(name, **place)
        keys = families.family(config).dropout
        shares = {} if dropout is None else dict.fromkeys(keys, dropout)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model, report = kind.from_pretrained(
            name,
            use_safetensors=True,
            dtype=torch.float32,
            attn_implementation=ATTENTION,
            output_loading_info=True,
            **place,
            **shares,
        )
    except BadInput:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise BadInput(f"{source}: cannot be loaded as a model ({type(error).__name__}: {reason})") from error
    # transformers fills in what is missing with random numbers and goes on.
    for problem in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        if report[problem]:
            key = min(str(key) for key in report[problem])
            raise BadInput(f"{source}: {problem.replace('_', ' ')} in the weights, {key} among them: not this model")
    return model
