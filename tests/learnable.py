"""Tasks that tiny models learn in seconds (a T5 repeats the input's first words; a GPT-NeoX or a Llama goes on with a
rhythm of four words), and runs of the training loop on them.

As a script, `python learnable.py KIND FOLDER STEP SAVE_SECONDS` trains with states under FOLDER/state and kills itself
with SIGKILL when the curve reaches STEP (0: never); what it ends with goes to FOLDER/result.json.
"""

import dataclasses
import hashlib
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import safetensors.torch
import standin
import torch

from mono_s2s import compute, files, training
from mono_s2s.corpus import reading
from mono_s2s.models import architectures, monotone
from mono_s2s.scale import Constraint, Optimization, ScratchDecoder, ScratchModel

SETTINGS = Optimization(
    epochs=3,
    batch_size=4,
    accumulation=2,
    learning_rate=0.01,
    weight_decay=0.01,
    warmup_ratio=0.1,
    max_gradient_norm=1.0,
    dropout=0.1,
)
SCRATCH = ScratchModel(
    kind="scratch",
    model_seed=3,
    width=16,
    head_width=4,
    heads=2,
    feed_forward=32,
    encoder_layers=1,
    decoder_layers=1,
    optimization=SETTINGS,
)
NONNEG = Constraint(mode="nonneg", scope="mlp_both")
SCRATCHES = {
    "t5": SCRATCH,
    **{
        name: ScratchDecoder(
            kind="scratch",
            architecture=name,
            model_seed=3,
            width=16,
            heads=2,
            feed_forward=32,
            layers=1,
            optimization=SETTINGS,
        )
        for name in ("gpt_neox", "llama")
    },
}
CONSTRAINTS = {"t5": NONNEG, "gpt_neox": NONNEG, "llama": Constraint(mode="nonneg", scope="gated_updown")}


def encoding(folder: Path, kind: str = "t5") -> reading.Encoding:
    (standin.write_corpus if kind == "t5" else standin.write_text_corpus)(folder)
    # As stage corpus writes it; without it transformers takes any tokenizer beside a T5 for SentencePiece.
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "</s>"}
    files.write_json(folder / "tokenizer/tokenizer_config.json", kind)
    return reading.read_encoding(folder)


def pairs(count: int, seed: int = 0) -> list[reading.Pair]:
    """Inputs of 5 to 20 words over six words; the target repeats the first one to four of them."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        words = random.integers(7, 13, size=random.integers(5, 21)).tolist()
        made.append(reading.Pair((4, 5, *words, 1), (*words[: random.integers(1, 5)], 1)))
    return made


def blocks(count: int, seed: int = 0) -> list[reading.Pair]:
    """Blocks of a decoder-only corpus: four of six words, over and over."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        words = random.integers(7, 13, size=4).tolist()
        made.append(reading.Pair((1,), tuple((words * standin.BLOCK)[: standin.BLOCK])))
    return made


def serve(folder: Path, kind: str, data: Path) -> torch.nn.Module:
    """Random weights as the hub would serve them: Pythia's old files in fp16, with buffers that later code computes by
    itself; Llama's in bf16, with a tied output matrix. The model that was written."""
    model = architectures.build(SCRATCHES[kind], encoding(data, kind))
    model.config.tie_word_embeddings = kind == "llama"
    model.tie_weights()
    model.to(torch.float16 if kind == "gpt_neox" else torch.bfloat16).save_pretrained(folder)
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    if kind == "gpt_neox":
        old = "gpt_neox.layers.0.attention."
        tensors[f"{old}bias"] = torch.ones(1, 1, 21, 21, dtype=torch.bool).tril()
        tensors[f"{old}masked_bias"] = torch.tensor(-1e9)
        tensors[f"{old}rotary_emb.inv_freq"] = torch.ones(1)
    assert ("embed_out.weight" in tensors) == (kind == "gpt_neox")
    assert "lm_head.weight" not in tensors
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
    # Pythia has neither.
    (folder / "generation_config.json").unlink()
    config = files.read_json(folder / "config.json")
    del config["origin"]
    files.write_json(folder / "config.json", config)
    for file in (data / "tokenizer").iterdir():
        shutil.copy(file, folder)
    return model


def digest(model: torch.nn.Module) -> str:
    return hashlib.sha256(safetensors.torch.save(dict(model.named_parameters()))).hexdigest()


def run(
    folder: Path,
    *,
    kind: str = "t5",
    arm: str = "monotonic",
    seed: int = 5,
    examples: int = 60,
    changes=None,
    compute_as=standin.COMPUTE,
    **options,
):
    """Train one arm; its outcome and its model."""
    settings = SETTINGS.model_copy(update=changes or {})
    compute.prepare(compute_as)
    known = encoding(folder / "data", kind)
    made = pairs if kind == "t5" else blocks
    model = architectures.build(SCRATCHES[kind].model_copy(update={"optimization": settings}), known)
    if arm == "monotonic":
        monotone.constrain(model, CONSTRAINTS[kind])
    outcome = training.train(
        model,
        made(examples),
        made(16, seed=1),
        settings=settings,
        compute=compute_as,
        encoding=known,
        seed=seed,
        title=arm,
        **options,
    )
    return outcome, model


def main() -> None:
    kind, folder, last, seconds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])

    def follow(row):
        if row["split"] == "train" and row["step"] == last:
            os.kill(os.getpid(), signal.SIGKILL)

    outcome, model = run(folder, kind=kind, state=folder / "state", follow=follow, save_seconds=seconds)
    files.write_json(folder / "result.json", {"digest": digest(model), "outcome": dataclasses.asdict(outcome)})


if __name__ == "__main__":
    main()
