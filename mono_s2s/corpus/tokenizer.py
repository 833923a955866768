"""The tokenizer: trained here, or a hub model's; always one that `AutoTokenizer` loads from the corpus folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from mono_s2s import files
from mono_s2s.files import BadInput
from mono_s2s.sources import LoadedTokenizer, TrainedTokenizer

PAD, EOS, UNKNOWN = "<pad>", "</s>", "<unk>"
# Enough for the spans of a 512-token input at 15% corruption; each costs a row of the embedding.
SENTINELS = tuple(f"<extra_id_{number}>" for number in range(32))


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer and what its special ids mean."""

    tokenizer: Tokenizer
    # The end of sequence where a decoder-only model's tokenizer has no padding.
    pad_id: int
    eos_id: int
    # What a text begins with for a decoder-only model: its beginning of sequence, else its end of sequence.
    start_id: int
    # Ids 0 .. size - 1 belong to the tokenizer.
    size: int
    forbidden_ids: frozenset[int]
    # Sentinels of span corruption, in the order in which they are used.
    sentinel_ids: tuple[int, ...]
    # SHA-256 of tokenizer.json.
    digest: str

    def encode(self, texts: Iterable[str]) -> Iterator[list[int]]:
        """The ids of each text, without special tokens; a special token's name inside a text is plain text."""
        waiting = iter(texts)
        # In bites: a paper-sized split's encodings would fill the memory.
        while bite := list(islice(waiting, 512)):
            yield from (found.ids for found in self.tokenizer.encode_batch_fast(bite, add_special_tokens=False))


def train(settings: TrainedTokenizer, texts: Iterable[str], folder: Path, max_input_tokens: int) -> None:
    """Train a byte-level BPE (Sennrich et al. 2016) with T5's special tokens on `texts` and save it in `folder`.

    Only bytes that occur in `texts` get an id; others become <unk>, as no model could learn what they mean.

    Raises:
        BadInput: the vocabulary has no room beside the special tokens and the bytes of the texts.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary, special_tokens=[PAD, EOS, UNKNOWN, *SENTINELS], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() > settings.vocabulary:
        raise BadInput(
            f"corpus.tokenizer.vocabulary: {settings.vocabulary} is too small, special tokens and single bytes alone "
            f"are {tokenizer.get_vocab_size()}: make it larger"
        )
    eos = tokenizer.token_to_id(EOS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", pair=f"$A {EOS} $B {EOS}", special_tokens=[(EOS, eos)]
    )
    files.write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=True) + "\n")
    files.write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": max_input_tokens,
            "clean_up_tokenization_spaces": False,
            "pad_token": PAD,
            "eos_token": EOS,
            "unk_token": UNKNOWN,
            "additional_special_tokens": list(SENTINELS),
        },
    )


def load(settings: LoadedTokenizer, folder: Path, decoder_only: bool = False) -> None:
    """Save the fast tokenizer of a hub model at its revision in `folder`.

    Args:
        settings: which tokenizer.
        folder: where to.
        decoder_only: it need not have a padding token; Pythia's and Llama's have none.

    Raises:
        BadInput: the hub has no such tokenizer, does not answer, it is not a fast one, or it lacks a padding or
            end-of-sequence token.
    """
    # Heavy, and only for hub models.
    from transformers import AutoTokenizer

    where = f"corpus.tokenizer: {settings.name} at revision {settings.revision}"
    try:
        tokenizer = AutoTokenizer.from_pretrained(settings.name, revision=settings.revision)
    except Exception as error:  # the hub's client and transformers raise many kinds
        reason = " ".join(str(error).split())[:200]
        raise BadInput(f"{where}: cannot be loaded ({reason}): check name, revision and network") from error
    if not tokenizer.is_fast:
        raise BadInput(f"{where}: has no fast tokenizer (tokenizer.json): name a model that has one")
    if tokenizer.eos_token_id is None or (tokenizer.pad_token_id is None and not decoder_only):
        if decoder_only:
            raise BadInput(f"{where}: has no end-of-sequence token: name a causal language model")
        raise BadInput(f"{where}: has no padding or end-of-sequence token: name a sequence-to-sequence model")
    tokenizer.save_pretrained(str(folder))


def read(folder: Path, decoder_only: bool = False) -> Vocabulary:
    """The tokenizer that `train` or `load` left in `folder`.

    Args:
        folder: where it lies.
        decoder_only: without a padding token, inputs are padded (and masked) by the end of sequence.

    Raises:
        BadInput: a file is missing, or the tokenizer lacks a padding or end-of-sequence token.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise BadInput(f"{path}: missing")
    tokenizer = Tokenizer.from_file(str(path))
    # A document that spells "</s>" must not end the input.
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    config = files.read_json(folder / "tokenizer_config.json")
    named = {key: _name(config.get(key)) for key in ("pad_token", "bos_token", "eos_token", "unk_token")}
    ids = {key: tokenizer.token_to_id(name) if name else None for key, name in named.items()}
    pad_id, eos_id = ids["pad_token"], ids["eos_token"]
    if pad_id is None and decoder_only:
        pad_id = eos_id
    if pad_id is None or eos_id is None:
        raise BadInput(f"{folder}: the tokenizer has no padding or end-of-sequence token")
    known = tokenizer.get_vocab(with_added_tokens=True)
    size = max(known.values()) + 1
    added = tokenizer.get_added_tokens_decoder()
    special = {number for number, token in added.items() if token.special or token.content.startswith("<extra_id_")}
    sentinels = {token: number for token, number in known.items() if token.startswith("<extra_id_")}
    unused = set(range(size)) - set(known.values())
    return Vocabulary(
        tokenizer=tokenizer,
        pad_id=pad_id,
        eos_id=eos_id,
        start_id=eos_id if ids["bos_token"] is None else ids["bos_token"],
        size=size,
        forbidden_ids=frozenset(
            special | set(sentinels.values()) | unused | {number for number in ids.values() if number is not None}
        ),
        sentinel_ids=tuple(
            sentinels[token] for token in sorted(sentinels, key=lambda name: int(name.strip("<>").split("_")[-1]))
        ),
        digest=files.sha256(path),
    )


def _name(token: str | dict[str, str] | None) -> str | None:
    """A special token's text; configurations hold it bare or with its settings."""
    return token["content"] if isinstance(token, dict) else token
