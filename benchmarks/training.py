"""What makes training fast on a CPU, and what does not: each choice beside its alternative, in one run.

    python benchmarks/training.py

Seconds are this process's CPU seconds at one thread; variants take turns, and the table gives medians and the ratio of
each to the first of its group, so that a busy machine slows all of them alike. Random ids, lengths as in the demo's
corpus, the demo's model. Takes a minute or two and prints the table of README.md.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mono_s2s import compute, scale, training
from mono_s2s.corpus.reading import Encoding, Pair
from mono_s2s.models import architectures, losses, monotone
from mono_s2s.models.batches import collate

ROUNDS = 5
EXAMPLES = 512
Variant = Callable[[], object]


def timed(variants: dict[str, Variant]) -> dict[str, float]:
    """Median CPU seconds of each variant; they take turns, the first turn is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(ROUNDS + 1):
        for name, variant in variants.items():
            start = time.process_time()
            variant()
            if turn:
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(group: str, seconds: dict[str, float]) -> None:
    """Print one group's rows of the table."""
    first = next(iter(seconds.values()))
    for name, value in seconds.items():
        print(f"| {group} | {name} | {value * 1000:.0f} | {value / first:.2f} |", flush=True)


def main() -> None:
    """Measure and print."""
    study = scale.load_scale("demo", Path(__file__).resolve().parents[1]).t5_experiments
    settings = study.train.optimization
    compute.prepare(study.compute)
    encoding = Encoding(
        architecture="encoder-decoder",
        prefix_ids=(4, 5),
        pad_id=0,
        eos_id=1,
        start_id=0,
        vocabulary=820,
        forbidden_ids=frozenset(range(4)),
        max_input_tokens=128,
        max_target_tokens=32,
        data_digest="",
        _tokenizer=Tokenizer(BPE()),
    )
    random = np.random.default_rng(0)
    sizes = zip(random.integers(30, 80, EXAMPLES), random.integers(10, 18, EXAMPLES), strict=True)
    pairs = [Pair(*(tuple(random.integers(6, 820, size).tolist()) for size in both)) for both in sizes]
    lengths = [(len(pair.input_ids), len(pair.target_ids)) for pair in pairs]
    plan = training.order(lengths, settings.batch_size, seed=1, epoch=0)
    shuffled = random.permutation(EXAMPLES).reshape(-1, settings.batch_size).tolist()

    def model(constrained: bool = False, attention: str = "eager", width: int = 64) -> torch.nn.Module:
        shape = study.standard.model_copy(update={"width": width, "feed_forward": 4 * width})
        built = architectures.build(shape, encoding)
        built.set_attn_implementation(attention)
        if constrained:
            monotone.constrain(built, study.train.constraint)
        return built

    def loss(of: torch.nn.Module, steps: list[list[int]], widths: tuple[int, int] = (0, 0)) -> torch.Tensor:
        total = torch.zeros(())
        for step in steps:
            inputs, targets = [pairs[i].input_ids for i in step], [pairs[i].target_ids for i in step]
            batch = collate(inputs, targets, encoding, "cpu", input_width=widths[0], target_width=widths[1])
            nats, _ = losses.per_example(losses.logits(of, batch, encoding), batch["labels"])
            if torch.is_grad_enabled():
                nats.sum().backward()
            total = total + nats.sum().detach()
        return total

    def own_loss(of: torch.nn.Module, steps: list[list[int]]) -> None:
        for step in steps:
            inputs, targets = [pairs[i].input_ids for i in step], [pairs[i].target_ids for i in step]
            of(**collate(inputs, targets, encoding, "cpu")).loss.backward()

    def cached(of: torch.nn.Module, steps: list[list[int]], gradients: bool) -> None:
        for step in steps:
            with torch.set_grad_enabled(gradients), monotone.cached(of):
                loss(of, [step])

    def forward(of: torch.nn.Module) -> None:
        with torch.no_grad():
            loss(of, plan)

    print("| what | variant | CPU ms for 512 examples | ratio |\n|---|---|---:|---:|")
    plain = model()
    variants: dict[str, Variant] = {
        "similar lengths together (used)": lambda: loss(plain, plan),
        "shuffled, padded to each batch's longest": lambda: loss(plain, shuffled),
        "padded to 128 and 32 tokens": lambda: loss(plain, shuffled, (128, 32)),
    }
    report("padding, forward and backward", timed(variants))

    fused = model(attention="sdpa")
    variants = {"plain products (used)": lambda: loss(plain, plan), "fused kernel": lambda: loss(fused, plan)}
    report("attention, forward and backward", timed(variants))

    variants = {"flat, fp32 (used)": lambda: loss(plain, plan), "the model's own": lambda: own_loss(plain, plan)}
    report("loss, forward and backward", timed(variants))

    for width in (64, 256):
        free, constrained, folded = model(width=width), model(True, width=width), model(True, width=width)
        monotone.fold(folded)
        steps = plan if width == 64 else plan[:4]
        share = "" if width == 64 else ", 128 examples"
        variants = {
            "unconstrained": lambda free=free, steps=steps: loss(free, steps),
            "constrained, each W once a pass (used)": lambda c=constrained, steps=steps: cached(c, steps, True),
            "constrained, each W as often as it is read": lambda c=constrained, steps=steps: loss(c, steps),
        }
        report(f"constraint, width {width}{share}, forward and backward", timed(variants))
        if width == 64:
            variants = {
                "folded (used)": lambda f=folded: forward(f),
                "constrained, each W once a pass": lambda c=constrained: cached(c, plan, False),
                "constrained, each W as often as it is read": lambda c=constrained: forward(c),
            }
            report("constraint, width 64, forward", timed(variants))

    with tempfile.TemporaryDirectory() as folder:
        optimizer = torch.optim.AdamW(training.groups(plain, 0.01))
        optimizer.step()
        best = {name: value.detach().clone() for name, value in plain.named_parameters()}

        def save() -> None:
            run = training._Run(step=1)
            training._save(Path(folder), run, plain, optimizer, best)

        variants = {"one pass over the examples": lambda: loss(plain, plan), "one state saved": save}
        report("state to resume from", timed(variants))


if __name__ == "__main__":
    main()
