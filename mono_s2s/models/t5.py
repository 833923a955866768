"""T5: a small one from scratch, or one from the hub."""

from __future__ import annotations

from typing import Any

import torch

from mono_s2s.corpus.reading import Encoding
from mono_s2s.files import BadInput
from mono_s2s.models import checkpoints
from mono_s2s.scale import PretrainedModel, ScratchModel


def build(settings: ScratchModel, encoding: Encoding) -> torch.nn.Module:
    """A T5 with random weights drawn from `settings.model_seed`; embeddings tied, ReLU feed-forward (T5 v1.0)."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=encoding.vocabulary,
        d_model=settings.width,
        d_kv=settings.head_width,
        d_ff=settings.feed_forward,
        num_heads=settings.heads,
        num_layers=settings.encoder_layers,
        num_decoder_layers=settings.decoder_layers,
        dropout_rate=settings.optimization.dropout,
        feed_forward_proj="relu",
        pad_token_id=encoding.pad_id,
        eos_token_id=encoding.eos_id,
        decoder_start_token_id=encoding.start_id,
        attn_implementation=checkpoints.ATTENTION,
        origin="scratch",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.model_seed)
        return T5ForConditionalGeneration(config)


def load_pretrained(settings: PretrainedModel) -> torch.nn.Module:
    """The hub's model at the declared revision, in fp32, from safetensors only.

    Raises:
        BadInput: no such model or revision, no safetensors weights, or the hub cannot be reached.
    """
    model = checkpoints.read(settings.name, revision=settings.revision)
    # Every later checkpoint of the study carries this name with it.
    model.config.origin = settings.name
    return model


def fit(model: torch.nn.Module, encoding: Encoding) -> None:
    """Check that a model speaks the corpus's ids.

    Raises:
        BadInput: the model has fewer ids than the tokenizer, or other padding, end or start ids.
    """
    encoding.forbidden(model.config.vocab_size)
    wanted = {"pad": encoding.pad_id, "eos": encoding.eos_id, "decoder_start": encoding.start_id}
    for name, token in wanted.items():
        found = getattr(model.config, f"{name}_token_id")
        if found != token:
            raise BadInput(
                f"standard: the model's {name}_token_id is {found}, the corpus's {token}: "
                "corpus.tokenizer and standard must name the same model"
            )


def facts(model: torch.nn.Module) -> dict[str, Any]:
    """What a model is, as `evidence.schemas.ModelFacts` holds it."""
    config = model.config
    origin = getattr(config, "origin", "unknown")
    shape = f"{config.num_layers}+{config.num_decoder_layers} layers, width {config.d_model}"
    return {
        "name": f"{origin} ({shape})",
        "architecture": "encoder-decoder",
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
