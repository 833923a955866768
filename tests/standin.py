"""A stand-in for what stages corpus, standard and train leave, for both studies: words that are tokens, documents, T5s
and GPT-NeoXs of a few thousand parameters. Small enough that every test can make its own."""

import dataclasses
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml

from mono_s2s import files, paths
from mono_s2s.corpus import reading
from mono_s2s.models import checkpoints
from mono_s2s.scale import Compute, Decoding, Hotflip, HotflipText, Scoring, Success, SuccessText, Uat, UatText

STUDY = "t5_experiments"
TEXT_STUDY = "foundation_llm_experiments"

SPECIAL = ("<pad>", "</s>", "<unk>", "<extra_id_0>")
WORDS = (
    *("summarize", ":", ".", "Anna", "Ben", "Oslo", "Rome", "sold", "bought", "a", "the", "house", "boat", "on"),
    *(f"w{number}" for number in range(26)),
)
VOCABULARY = len(SPECIAL) + len(WORDS)
# Rows of the embedding that no tokenizer entry stands behind, as in T5's own checkpoints.
ROWS = VOCABULARY + 4
UNUSED = VOCABULARY - 1

COMPUTE = Compute(device="cpu", threads=1, precision="fp32")
DECODING = Decoding(batch_size=4, beams=2, length_penalty=1.0, min_new_tokens=0, max_new_tokens=8, no_repeat_ngram=0)
SUCCESS = Success(relative_nll=[0.1, 0.5], rougeL_drop=[0.05, 0.1])
HOTFLIP = Hotflip(flips=3, candidates=4, batch_size=4, success=SUCCESS)
UAT = Uat(trigger_tokens=3, iterations=2, candidates=4, batch_size=4, restarts=2, success=SUCCESS)

# Of the decoder-only study.
BLOCK, CONTINUATION = 20, 4
SCORING = Scoring(batch_size=4)
SUCCESS_TEXT = SuccessText(relative_nll=[0.1, 0.5], absolute_nll=[0.05, 0.25])
HOTFLIP_TEXT = HotflipText(**HOTFLIP.model_dump(exclude={"success"}), success=SUCCESS_TEXT)
UAT_TEXT = UatText(**UAT.model_dump(exclude={"success"}), success=SUCCESS_TEXT)


def write_tokenizer(folder: Path) -> None:
    """A tokenizer that knows words and splits at white space."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def document(random: np.random.Generator, words: int) -> list[int]:
    """Random ids of words, none of them special and not the unused one."""
    return random.integers(len(SPECIAL), UNUSED, size=words).tolist()


def _write_encoding(data: Path, **changes) -> None:
    files.write_json(
        data / "encoding.json",
        {
            "schema_version": 2,
            "architecture": "encoder-decoder",
            "prefix_ids": [4, 5],
            "pad_id": 0,
            "eos_id": 1,
            "start_id": 0,
            "vocabulary": VOCABULARY,
            "forbidden_ids": [0, 1, 2, 3, UNUSED],
            "max_input_tokens": 24,
            "max_target_tokens": 8,
            "data_digest": "d" * 64,
        }
        | changes,
    )


def text(ids: list[int]) -> str:
    """The words of ids."""
    return " ".join((*SPECIAL, *WORDS)[token] for token in ids)


def _row(split: str, number: int, ids: list[int], references: list[str], targets: list[list[int]]) -> dict:
    return {
        "example_id": f"{split}-{number}",
        "source": split,
        "document": text(ids),
        "references": references,
        "document_ids": ids,
        "reference_ids": targets,
    }


def write_corpus(data: Path, *, max_input_tokens: int = 24) -> list[str]:
    """A corpus folder: 10 examples for each attack split, 6 for each of two test sets; the names of the splits."""
    write_tokenizer(data / "tokenizer")
    _write_encoding(data, max_input_tokens=max_input_tokens)
    random = np.random.default_rng(0)
    sizes = {"attack_optimization": 10, "attack_evaluation": 10, "test_news": 6, "test_dialogue": 6}
    for split, size in sizes.items():
        rows = []
        for number in range(size):
            ids = document(random, int(random.integers(6, max_input_tokens - 3)))
            # Two references here and there.
            targets = [[*document(random, 4), 1] for _ in range(1 + number % 2)]
            rows.append(_row(split, number, ids, [text(target[:-1]) for target in targets], targets))
        files.write_jsonl(data / f"{split}.jsonl", rows)
    return list(sizes)


def write_text_corpus(data: Path) -> list[str]:
    """A corpus folder of the decoder-only study: 10 examples for each attack split, blocks for training and test.

    A text begins with the end of sequence, as with tokenizers that have no token of their own for that.
    """
    write_tokenizer(data / "tokenizer")
    _write_encoding(
        data,
        architecture="decoder-only",
        prefix_ids=[1],
        start_id=1,
        max_input_tokens=1 + BLOCK - CONTINUATION,
        max_target_tokens=BLOCK,
    )
    random = np.random.default_rng(0)
    for split in ("attack_optimization", "attack_evaluation"):
        rows = []
        for number in range(10):
            ids, target = document(random, int(random.integers(8, 1 + BLOCK - CONTINUATION))), document(random, 4)
            rows.append(_row(split, number, ids, [text(target)], [target]))
        files.write_jsonl(data / f"{split}.jsonl", rows)
    packed = {"train": [BLOCK] * 12, "validation": [BLOCK] * 4, "test_text": [BLOCK] * 5 + [7]}
    for split, lengths in packed.items():
        blocks = [document(random, length) for length in lengths]
        # An end of text somewhere inside.
        blocks[0][3] = 1
        rows = [_row(split, number, [], [text(ids)], [ids]) for number, ids in enumerate(blocks)]
        files.write_jsonl(data / f"{split}.jsonl", rows)
    return ["attack_optimization", "attack_evaluation", *packed]


@functools.cache
def corpus(folder: Path, study: str = STUDY) -> tuple[reading.Encoding, dict[str, list[reading.Example]]]:
    """Encoding and splits of a stand-in corpus, written under `folder`."""
    names = KINDS[study].write_corpus(folder)
    return reading.read_encoding(folder), {name: reading.read_split(folder, name) for name in names}


def model(seed: int = 0, *, rows: int = ROWS) -> torch.nn.Module:
    """A T5 with random weights, ready to be attacked."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=rows,
        d_model=16,
        d_kv=4,
        d_ff=32,
        num_heads=4,
        num_layers=2,
        num_decoder_layers=2,
        dropout_rate=0.0,
        feed_forward_proj="relu",
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        attn_implementation=checkpoints.ATTENTION,
    )
    return _lively(lambda: T5ForConditionalGeneration(config), seed, flat="relative_attention_bias", embedding="shared")


def _lively(make: Callable[[], torch.nn.Module], seed: int, *, flat: str, embedding: str) -> torch.nn.Module:
    """A model with random weights; the library's start is so flat that nothing depends on the input."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = make()
        with torch.no_grad():
            for name, weight in built.named_parameters():
                if weight.ndim == 2 and flat not in name:
                    weight.normal_(std=0.5 if embedding in name else 0.35)
    return built.eval().requires_grad_(False)


def _neox(rows: int, layers: int) -> torch.nn.Module:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=rows,
            hidden_size=16,
            intermediate_size=32,
            num_attention_heads=4,
            num_hidden_layers=layers,
            max_position_embeddings=64,
            attention_dropout=0.0,
            hidden_dropout=0.0,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=1,
            attn_implementation=checkpoints.ATTENTION,
        )
    )


def decoder(seed: int = 0, *, rows: int = ROWS) -> torch.nn.Module:
    """A GPT-NeoX with random weights, ready to be attacked."""
    return _lively(lambda: _neox(rows, 2), seed, flat="layernorm", embedding="embed_in")


def _still(built: torch.nn.Module) -> None:
    """Switch off everything between embedding and output; the encoder's output is the normed embedding."""
    with torch.no_grad():
        for name, weight in built.named_parameters():
            if "layer_norm" not in name and "shared" not in name:
                weight.zero_()


def deaf(seed: int = 0) -> torch.nn.Module:
    """A T5 whose decoder never hears its encoder: no change of the input can change the loss."""
    built = model(seed)
    with torch.no_grad():
        for name, weight in built.named_parameters():
            if "EncDecAttention.o" in name:
                weight.zero_()
    return built


def planted(token: int) -> torch.nn.Module:
    """A T5 that reads the mean of its input and is harmed by `token` alone.

    The first embedding dimension is 0 for every token but `token`, and the output layer turns it into a high logit of
    a token that no target has; all other dimensions have a thousandth of that effect.
    """
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=ROWS,
        d_model=16,
        d_kv=4,
        d_ff=32,
        num_heads=4,
        num_layers=1,
        num_decoder_layers=1,
        dropout_rate=0.0,
        feed_forward_proj="relu",
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        attn_implementation=checkpoints.ATTENTION,
    )
    random = np.random.default_rng(0)
    built = T5ForConditionalGeneration(config)
    _still(built)
    with torch.no_grad():
        built.shared.weight.copy_(torch.from_numpy(random.normal(size=(ROWS, 16))))
        built.shared.weight[:, 0] = 0.0
        built.shared.weight[token, 0] = 4.0
        attention = built.decoder.block[0].layer[1].EncDecAttention
        # No queries and keys: every position is attended to alike. Values pass as they are.
        attention.v.weight.copy_(torch.eye(16))
        attention.o.weight.copy_(4.0 * torch.eye(16))
        # A parameter of its own, so that the output layer is not the embedding.
        built.lm_head.weight = torch.nn.Parameter(torch.from_numpy(0.02 * random.normal(size=(ROWS, 16))).float())
        built.lm_head.weight[UNUSED, 0] = 60.0
    return built.eval().requires_grad_(False)


def deaf_decoder(seed: int = 0) -> torch.nn.Module:
    """A GPT-NeoX that predicts the same everywhere, whatever it has read: no change of the input changes the loss."""
    built = decoder(seed)
    norm = built.gpt_neox.final_layer_norm
    with torch.no_grad():
        norm.weight.zero_()
        norm.bias.copy_(torch.from_numpy(np.random.default_rng(seed).normal(size=16)))
    return built


def forgetful_decoder(seed: int = 0) -> torch.nn.Module:
    """A GPT-NeoX without attention: it predicts from the last token alone."""
    built = decoder(seed)
    with torch.no_grad():
        for layer in built.gpt_neox.layers:
            layer.attention.dense.weight.zero_()
            layer.attention.dense.bias.zero_()
    return built


def planted_decoder(token: int) -> torch.nn.Module:
    """`planted` as a GPT-NeoX: it adds the mean of all it has read to the last token."""
    random = np.random.default_rng(0)
    built = _neox(ROWS, 1)
    with torch.no_grad():
        for name, weight in built.named_parameters():
            if "norm" not in name:
                weight.zero_()
        words = random.normal(size=(ROWS, 16))
        words[:, 0] = 0.0
        # The norms take the mean away; so that the first dimension stays 0, there is none.
        words[:, 1:] -= words[:, 1:].mean(axis=1, keepdims=True)
        words[token, 0] = 4.0
        built.gpt_neox.embed_in.weight.copy_(torch.from_numpy(words))
        attention = built.gpt_neox.layers[0].attention
        # Queries, keys and values of one head after another, four dimensions each.
        attention.query_key_value.weight.view(4, 3, 4, 16)[:, 2] = torch.eye(16).view(4, 4, 16)
        attention.dense.weight.copy_(4.0 * torch.eye(16))
        built.get_output_embeddings().weight.copy_(torch.from_numpy(0.02 * random.normal(size=(ROWS, 16))))
        built.get_output_embeddings().weight[UNUSED, 0] = 60.0
    return built.eval().requires_grad_(False)


def without(examples: list[reading.Example], token: int) -> list[reading.Example]:
    """The examples with another word wherever `token` stood."""
    other = token + 1

    def cleaned(ids):
        return tuple(other if found == token else found for found in ids)

    return [
        dataclasses.replace(
            example,
            document_ids=cleaned(example.document_ids),
            reference_ids=tuple(cleaned(ids) for ids in example.reference_ids),
        )
        for example in examples
    ]


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is different between the two studies."""

    study: str
    write_corpus: Callable[[Path], list[str]]
    # By seed; by seed; by the token that harms.
    model: Callable[..., torch.nn.Module]
    deaf: Callable[..., torch.nn.Module]
    planted: Callable[[int], torch.nn.Module]
    decoding: Decoding | Scoring
    hotflip: Hotflip | HotflipText
    uat: Uat | UatText


KINDS = {
    kind.study: kind
    for kind in (
        Kind(STUDY, write_corpus, model, deaf, planted, DECODING, HOTFLIP, UAT),
        Kind(
            TEXT_STUDY,
            write_text_corpus,
            decoder,
            deaf_decoder,
            planted_decoder,
            SCORING,
            HOTFLIP_TEXT,
            UAT_TEXT,
        ),
    )
}


def workspace(path: Path, seed: int, study: str = STUDY) -> Path:
    """A folder with this checkout's code, a stand-in corpus and the three checkpoints of one run; scale "standin"."""
    root = Path(__file__).resolve().parents[1]
    for name in ("mono_s2s", "stages"):
        shutil.copytree(root / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "requirements.lock", path)
    kind = KINDS[study]
    content = yaml.safe_load((root / "scales/toy.yaml").read_text())
    content[study] |= {
        "compute": COMPUTE.model_dump(),
        "evaluate": {"decoding": kind.decoding.model_dump(), "resamples": 50, "limit": 5},
        "uat": kind.uat.model_dump(),
        "hotflip": kind.hotflip.model_dump(),
    }
    files.write_text(path / "scales/standin.yaml", yaml.safe_dump(content))
    data = path / paths.corpus(study) / "data"
    kind.write_corpus(data)
    for number, folder in enumerate(paths.checkpoints(study, seed).values()):
        checkpoints.save(kind.model(number), data, path / folder)
    return path


def run_stage(stage: str, path: Path, seed: int, study: str = STUDY) -> subprocess.CompletedProcess:
    """Run a stage in a workspace as DVC runs it."""
    command = [sys.executable, "-m", f"stages.{stage}", "--study", study, "--scale", "standin", "--seed", str(seed)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    return subprocess.run(command, cwd=path, env=environment, capture_output=True, text=True, check=False)
