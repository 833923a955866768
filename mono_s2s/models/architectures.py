"""The models that the studies start from: a small one from scratch, or one from the hub."""

from __future__ import annotations

from typing import Any

import torch

from mono_s2s.corpus.reading import Encoding
from mono_s2s.files import BadInput
from mono_s2s.models import checkpoints, families
from mono_s2s.scale import PretrainedModel, ScratchDecoder, ScratchModel


def _t5(settings: ScratchModel, encoding: Encoding) -> torch.nn.Module:
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
    return T5ForConditionalGeneration(config)


def _decoder(settings: ScratchDecoder, encoding: Encoding) -> torch.nn.Module:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM

    shared = {
        "vocab_size": encoding.vocabulary,
        "hidden_size": settings.width,
        "intermediate_size": settings.feed_forward,
        "num_hidden_layers": settings.layers,
        "num_attention_heads": settings.heads,
        # A block and the start before it.
        "max_position_embeddings": 1 + encoding.max_target_tokens,
        # The library's 0.02 is for widths of thousands. A width of 64 learns to copy sooner from this: after 700 steps
        # of the demo's pretraining, perplexity 3.31 on the study's text instead of 3.52.
        "initializer_range": settings.width**-0.5,
        "tie_word_embeddings": False,
        "bos_token_id": encoding.start_id,
        "eos_token_id": encoding.eos_id,
        "pad_token_id": encoding.pad_id,
        "attn_implementation": checkpoints.ATTENTION,
        "origin": "scratch",
    }
    shared |= dict.fromkeys(families.FAMILIES[settings.architecture].dropout, settings.optimization.dropout)
    if settings.architecture == "llama":
        return LlamaForCausalLM(LlamaConfig(hidden_act="silu", **shared))
    return GPTNeoXForCausalLM(GPTNeoXConfig(hidden_act="gelu", use_parallel_residual=True, **shared))


def build(settings: ScratchModel | ScratchDecoder, encoding: Encoding) -> torch.nn.Module:
    """A model with random weights drawn from `settings.model_seed`.

    T5 as v1.0: embeddings tied, ReLU. GPT-NeoX as Pythia: GELU, rotary positions on a quarter of each head, attention
    and feed-forward layer side by side, embeddings not tied. Llama: SiLU-gated feed-forward layers, RMS norms, rotary
    positions, embeddings not tied; it has dropout in its attention alone.

    Raises:
        BadInput: the corpus was built for the other architecture, or the heads do not divide the width evenly.
    """
    decoder = isinstance(settings, ScratchDecoder)
    _same_architecture("decoder-only" if decoder else "encoder-decoder", encoding)
    # Rotary positions turn pairs of a head's dimensions.
    if decoder and settings.width % (2 * settings.heads):
        raise BadInput(
            f"standard.heads: {settings.heads} do not divide a width of {settings.width} into even parts: change either"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.model_seed)
        return _decoder(settings, encoding) if decoder else _t5(settings, encoding)


def load_pretrained(settings: PretrainedModel) -> torch.nn.Module:
    """The hub's model at the declared revision, in fp32 whatever its files hold, from safetensors only.

    Raises:
        BadInput: no such model or revision, no safetensors weights, a family that the studies do not know, or the hub
            cannot be reached.
    """
    model = checkpoints.read(settings.name, revision=settings.revision)
    # Every later checkpoint of the study carries this name with it.
    model.config.origin = settings.name
    return model


def fit(model: torch.nn.Module, encoding: Encoding) -> None:
    """Check that a model speaks the corpus's ids and has room for its blocks.

    Raises:
        BadInput: another architecture, fewer ids than the tokenizer has, other special ids, or too few positions.
    """
    config = model.config
    _same_architecture(families.architecture(config), encoding)
    encoding.forbidden(config.vocab_size)
    if config.is_encoder_decoder:
        wanted = {"pad": encoding.pad_id, "eos": encoding.eos_id, "decoder_start": encoding.start_id}
        for name, token in wanted.items():
            found = getattr(config, f"{name}_token_id")
            if found != token:
                raise BadInput(
                    f"standard: the model's {name}_token_id is {found}, the corpus's {token}: "
                    "corpus.tokenizer and standard must name the same model"
                )
        return
    # Models do without the one or the other, and may have several ends; padding is masked, so its id is free.
    known = {token for key in ("bos_token_id", "eos_token_id") for token in _tokens(getattr(config, key))}
    if known and encoding.start_id not in known:
        raise BadInput(
            f"standard: the model's texts begin or end with {sorted(known)}, the corpus's with {encoding.start_id}: "
            "corpus.tokenizer and standard must name the same model"
        )
    # The last token of a block is predicted and never read.
    if config.max_position_embeddings < encoding.max_target_tokens:
        raise BadInput(
            f"standard: the model has {config.max_position_embeddings} positions, a block "
            f"{encoding.max_target_tokens} tokens: lower corpus.block_tokens"
        )


def facts(model: torch.nn.Module) -> dict[str, Any]:
    """What a model is, as `evidence.schemas.ModelFacts` holds it; a tied matrix counts once."""
    config = model.config
    origin = getattr(config, "origin", "unknown")
    layers = "+".join(str(count) for count in families.layers(config))
    return {
        "name": f"{origin} ({layers} layers, width {getattr(config, families.family(config).width)})",
        "architecture": families.architecture(config),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def _tokens(found: int | list[int] | None) -> list[int]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _same_architecture(found: str, encoding: Encoding) -> None:
    if found != encoding.architecture:
        raise BadInput(
            f"standard: a model that is {found}, but a corpus that is {encoding.architecture}: "
            "name a model of the study's kind"
        )
