"""The model families that the studies know: what each calls its layers, its activation and its dropout.

A family is a `transformers` configuration's `model_type`. Nothing else asks for it but the scopes of the constraint
(`models.monotone`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mono_s2s.files import BadInput


@dataclass(frozen=True)
class Family:
    """Names of configuration keys; each of `layers` counts feed-forward layers."""

    layers: tuple[str, ...]
    width: str
    # The function, and what the family calls the layer that it stands in.
    activation: str
    called: str
    dropout: tuple[str, ...]
    # Whether the feed-forward layer is a product of two branches: always, never, or as this key says.
    gated: bool | str


_LLAMA = Family(("num_hidden_layers",), "hidden_size", "hidden_act", "hidden_act", ("attention_dropout",), gated=True)
FAMILIES = {
    "t5": Family(
        ("num_layers", "num_decoder_layers"),
        "d_model",
        "dense_act_fn",
        "feed_forward_proj",
        ("dropout_rate",),
        gated="is_gated_act",
    ),
    "gpt_neox": Family(
        ("num_hidden_layers",),
        "hidden_size",
        "hidden_act",
        "hidden_act",
        ("hidden_dropout", "attention_dropout"),
        gated=False,
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
}


def family(config: Any) -> Family:
    """The family of a model's configuration.

    Raises:
        BadInput: none that the studies know.
    """
    if config.model_type not in FAMILIES:
        raise BadInput(
            f"standard: models of type {config.model_type} are not known here, but {', '.join(FAMILIES)}: "
            "name one of these"
        )
    return FAMILIES[config.model_type]


def architecture(config: Any) -> str:
    """`encoder-decoder` or `decoder-only`."""
    return "encoder-decoder" if config.is_encoder_decoder else "decoder-only"


def layers(config: Any) -> list[int]:
    """Numbers of layers: of the encoder and the decoder, or of the one stack. Each layer has one feed-forward part."""
    return [getattr(config, key) for key in family(config).layers]


def gated(config: Any) -> bool:
    """Whether the feed-forward layers multiply two branches."""
    found = family(config).gated
    return getattr(config, found) if isinstance(found, str) else found
