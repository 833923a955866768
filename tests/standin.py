"""A stand-in for what stages corpus, standard and train leave: words that are tokens, documents, T5s of a few thousand
parameters. Small enough that every test can make its own."""

import dataclasses
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
import yaml

from mono_s2s import files, paths
from mono_s2s.corpus import reading
from mono_s2s.models import checkpoints
from mono_s2s.scale import Compute, Decoding, Hotflip, Success, Uat

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


def write_corpus(data: Path, *, max_input_tokens: int = 24) -> None:
    """A corpus folder: 10 examples for each attack split, 6 for each of two test sets."""
    write_tokenizer(data / "tokenizer")
    files.write_json(
        data / "encoding.json",
        {
            "schema_version": 1,
            "prefix_ids": [4, 5],
            "pad_id": 0,
            "eos_id": 1,
            "start_id": 0,
            "vocabulary": VOCABULARY,
            "forbidden_ids": [0, 1, 2, 3, UNUSED],
            "max_input_tokens": max_input_tokens,
            "max_target_tokens": 8,
            "data_digest": "d" * 64,
        },
    )
    random = np.random.default_rng(0)
    names = (*SPECIAL, *WORDS)
    sizes = {"attack_optimization": 10, "attack_evaluation": 10, "test_news": 6, "test_dialogue": 6}
    for split, size in sizes.items():
        rows = []
        for number in range(size):
            ids = document(random, int(random.integers(6, max_input_tokens - 3)))
            # Two references here and there.
            targets = [[*document(random, 4), 1] for _ in range(1 + number % 2)]
            rows.append(
                {
                    "example_id": f"{split}-{number}",
                    "source": split,
                    "document": " ".join(names[token] for token in ids),
                    "references": [" ".join(names[token] for token in target[:-1]) for target in targets],
                    "document_ids": ids,
                    "reference_ids": targets,
                }
            )
        files.write_jsonl(data / f"{split}.jsonl", rows)


@functools.cache
def corpus(folder: Path) -> tuple[reading.Encoding, dict[str, list[reading.Example]]]:
    """Encoding and splits of a stand-in corpus, written under `folder`."""
    write_corpus(folder)
    names = ("attack_optimization", "attack_evaluation", "test_news", "test_dialogue")
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = T5ForConditionalGeneration(config)
        # The library's start for T5 is so flat that nothing depends on the input.
        with torch.no_grad():
            for name, weight in built.named_parameters():
                if weight.ndim == 2 and "relative_attention_bias" not in name:
                    weight.normal_(std=0.5 if "shared" in name else 0.35)
    return built.eval().requires_grad_(False)


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


STUDY = "t5_experiments"


def workspace(path: Path, seed: int) -> Path:
    """A folder with this checkout's code, a stand-in corpus and the three checkpoints of one run; scale "standin"."""
    root = Path(__file__).resolve().parents[1]
    for name in ("mono_s2s", "stages"):
        shutil.copytree(root / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "requirements.lock", path)
    content = yaml.safe_load((root / "scales/toy.yaml").read_text())
    content[STUDY] |= {
        "compute": COMPUTE.model_dump(),
        "evaluate": {"decoding": DECODING.model_dump(), "resamples": 50, "limit": 5},
        "uat": UAT.model_dump(),
        "hotflip": HOTFLIP.model_dump(),
    }
    files.write_text(path / "scales/standin.yaml", yaml.safe_dump(content))
    data = path / paths.corpus(STUDY) / "data"
    write_corpus(data)
    for number, folder in enumerate(paths.checkpoints(STUDY, seed).values()):
        checkpoints.save(model(number), data, path / folder)
    return path


def run_stage(stage: str, path: Path, seed: int) -> subprocess.CompletedProcess:
    """Run a stage in a workspace as DVC runs it."""
    command = [sys.executable, "-m", f"stages.{stage}", "--study", STUDY, "--scale", "standin", "--seed", str(seed)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    return subprocess.run(command, cwd=path, env=environment, capture_output=True, text=True, check=False)
