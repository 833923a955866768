"""What packing, and scoring no more than what counts, are worth for a decoder-only model: side by side, in one run.

    python benchmarks/decoders.py

Seconds are this process's CPU seconds at one thread; variants take turns, and the table gives medians and the ratio of
each to the first of its group. The demo's texts in length, random ids, the demo's model with random weights.
Takes half a minute and prints the table of README.md.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from attacks import report
from tokenizers import Tokenizer
from tokenizers.models import BPE

from mono_s2s import compute, scale
from mono_s2s.corpus.reading import Encoding
from mono_s2s.corpus.text_building import pack
from mono_s2s.models import architectures, losses
from mono_s2s.models.batches import collate

TEXTS = 512
BATCH = 16


def steps(model: torch.nn.Module, targets: list[list[int]], encoding: Encoding, width: int) -> None:
    """Forward and backward over all `targets`, each behind the start, padded to `width` tokens at least."""
    for start in range(0, len(targets), BATCH):
        some = targets[start : start + BATCH]
        batch = collate([encoding.prefix_ids] * len(some), some, encoding, "cpu", target_width=width)
        nats, tokens = losses.per_example(losses.logits(model, batch, encoding), batch["labels"])
        (nats.sum() / tokens.sum()).backward()
        model.zero_grad()


def scored(model: torch.nn.Module, contexts: list[list[int]], targets: list[list[int]], encoding: Encoding) -> None:
    """The losses of continuations, as evaluation and attacks take them."""
    with torch.no_grad():
        batch = collate(contexts, targets, encoding, "cpu")
        losses.per_example(losses.logits(model, batch, encoding), batch["labels"])


def everywhere(model: torch.nn.Module, contexts: list[list[int]], targets: list[list[int]], encoding: Encoding) -> None:
    """The same losses from the logits of every position."""
    with torch.no_grad():
        batch = collate(contexts, targets, encoding, "cpu")
        kept = batch["labels"].shape[1]
        found = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
        losses.per_example(found[:, -kept:], batch["labels"])


def main() -> None:
    """Measure and print."""
    study = scale.load_scale("demo").foundation_llm_experiments
    compute.prepare(study.compute)
    block = study.corpus.block_tokens
    encoding = Encoding(
        architecture="decoder-only",
        prefix_ids=(1,),
        pad_id=0,
        eos_id=1,
        start_id=1,
        vocabulary=891,
        forbidden_ids=frozenset(range(4)),
        max_input_tokens=1 + block - study.corpus.continuation_tokens,
        max_target_tokens=block,
        data_digest="",
        _tokenizer=Tokenizer(BPE()),
    )
    random = np.random.default_rng(0)
    texts = [random.integers(4, 891, random.integers(50, 90)).tolist() for _ in range(TEXTS)]
    model = architectures.build(study.standard, encoding)
    blocks = [ids for _, ids in pack((("", ids) for ids in texts), 1, block)]
    ended = [[*ids, 1] for ids in texts]
    print("| what | variant | CPU ms | ratio |\n|---|---|---:|---:|")
    report(
        f"training on {TEXTS} texts",
        {
            "packed into blocks (used)": lambda: steps(model, blocks, encoding, 0),
            "one text a row, padded to each batch's longest": lambda: steps(model, ended, encoding, 0),
            "one text a row, padded to the block": lambda: steps(model, ended, encoding, block),
        },
    )
    cut = study.corpus.continuation_tokens
    contexts, targets = [[1, *ids[:-cut]] for ids in texts[:32]], [ids[-cut:] for ids in texts[:32]]
    for vocabulary in (891, 50_304):
        wide = dataclasses.replace(encoding, vocabulary=vocabulary)
        scorer = architectures.build(study.standard, wide).eval().requires_grad_(False)
        report(
            f"losses of 32 continuations, vocabulary {vocabulary}",
            {
                "logits from the first scored position on (used)": lambda: scored(scorer, contexts, targets, wide),  # noqa: B023
                "logits of every position": lambda: everywhere(scorer, contexts, targets, wide),  # noqa: B023
            },
        )


if __name__ == "__main__":
    main()
