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
    pad_id: int
    eos_id: int
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


def load(settings: LoadedTokenizer, folder: Path) -> None:
    """Save the fast tokenizer of a hub model at its revision in `folder`.

    Raises:
        BadInput: the hub has no such tokenizer, does not answer, or it is not a fast one.
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
    if tokenizer.pad_token_id is None or tokenizer.eos_token_id is None:
        raise BadInput(f"{where}: has no padding or end-of-sequence token: name a sequence-to-sequence model")
    tokenizer.save_pretrained(str(folder))


def read(folder: Path) -> Vocabulary:
    """The tokenizer that `train` or `load` left in `folder`.

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
    named = {key: _name(config.get(key)) for key in ("pad_token", "eos_token", "unk_token")}
    ids = {key: tokenizer.token_to_id(name) if name else None for key, name in named.items()}
    if ids["pad_token"] is None or ids["eos_token"] is None:
        raise BadInput(f"{folder}: the tokenizer has no padding or end-of-sequence token")
    known = tokenizer.get_vocab(with_added_tokens=True)
    size = max(known.values()) + 1
    added = tokenizer.get_added_tokens_decoder()
    special = {number for number, token in added.items() if token.special or token.content.startswith("<extra_id_")}
    sentinels = {token: number for token, number in known.items() if token.startswith("<extra_id_")}
    unused = set(range(size)) - set(known.values())
    return Vocabulary(
        tokenizer=tokenizer,
        pad_id=ids["pad_token"],
        eos_id=ids["eos_token"],
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
