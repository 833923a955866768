"""Corpora as stage corpus makes them, small."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from mono_s2s.corpus import building
from mono_s2s.scale import load_scale
from mono_s2s.sources import Corpus, TextCorpus

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def toy() -> Corpus:
    """The toy scale's section."""
    return load_scale("toy", ROOT).t5_experiments.corpus


@pytest.fixture(scope="session")
def built(toy, tmp_path_factory):
    """The toy corpus: its data folder and its statistics."""
    data = tmp_path_factory.mktemp("toy") / "data"
    return data, building.build(toy, "t5_experiments", "toy", data, Path("data/toy"))


@pytest.fixture
def changed(toy):
    """The toy section (the module's own where it has one) with other keys; dotted names."""

    def change(**keys) -> Corpus | TextCorpus:
        content = toy.model_dump()
        for key, value in keys.items():
            node = content
            *steps, last = key.split("__")
            for step in steps:
                node = node[step]
            node[last] = value
        return type(toy).model_validate(content)

    return change


class HubTokenizer:
    """Writes tokenizers as the hub has them for decoder-only models: byte-level, with few special tokens."""

    NAMES = {  # noqa: RUF012 - read, never changed
        "pythia": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
        "llama": {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"},
        "qwen": {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
    }

    def __call__(self, family: str, folder: Path) -> Tokenizer:
        names = self.NAMES[family]
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=list(dict.fromkeys(names.values())),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        made.train_from_iterator(["Where were you on Monday? I was in Oslo and sold lamps."] * 5, trainer)
        if family == "llama":
            begin = names["bos_token"]
            made.post_processor = processors.TemplateProcessing(
                single=f"{begin} $A",
                pair=f"{begin} $A {begin} $B",
                special_tokens=[(begin, made.token_to_id(begin))],
            )
        folder.mkdir()
        made.save(str(folder / "tokenizer.json"))
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 2048, **names}
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        return made


@pytest.fixture(scope="session")
def hub_tokenizer() -> HubTokenizer:
    """Call it with a family and a folder."""
    return HubTokenizer()
