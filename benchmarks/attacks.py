"""What batching is worth in evaluation and attacks: each batched step beside the same step one by one, in one run.

    python benchmarks/attacks.py

Seconds are this process's CPU seconds at one thread; variants take turns, and the table gives medians and the ratio of
each to the first of its group. Random ids, lengths as in the demo's corpus, the demo's model with random weights.
Takes half a minute and prints the table of README.md.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats
from tokenizers import Tokenizer
from tokenizers.models import BPE

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mono_s2s import compute, scale
from mono_s2s.attacks import gradients, hotflip, uat
from mono_s2s.attacks.space import space
from mono_s2s.corpus.reading import Encoding, Example
from mono_s2s.evaluation import generation, intervals
from mono_s2s.models import architectures

ROUNDS = 3
EXAMPLES = 32
Variant = Callable[[], object]


def report(group: str, variants: dict[str, Variant]) -> None:
    """Print one group's rows: median CPU milliseconds of each variant, and the ratio to the first.

    Variants take turns; the first turn is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(ROUNDS + 1):
        for name, variant in variants.items():
            start = time.process_time()
            variant()
            if turn:
                seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    first = next(iter(medians.values()))
    for name, value in medians.items():
        print(f"| {group} | {name} | {value * 1000:.0f} | {value / first:.2f} |", flush=True)


def main() -> None:
    """Measure and print."""
    study = scale.load_scale("demo", Path(__file__).resolve().parents[1]).t5_experiments
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
    examples = []
    for number in range(EXAMPLES):
        document = tuple(random.integers(6, 820, random.integers(40, 75)).tolist())
        target = (*random.integers(6, 820, random.integers(10, 16)).tolist(), 1)
        examples.append(Example(str(number), "benchmark", "", ("",), document, (target,)))
    model = architectures.build(study.standard, encoding).eval().requires_grad_(False)
    allowed = space(model, encoding)
    inputs = [encoding.pack(example.document_ids) for example in examples]
    targets = [example.reference_ids[0] for example in examples]
    trials = [ids for ids in inputs for _ in range(study.hotflip.candidates)]
    wanted = [ids for ids in targets for _ in range(study.hotflip.candidates)]

    def gradient(size: int) -> None:
        for start in range(0, EXAMPLES, size):
            some = slice(start, start + size)
            gradients.embedding_gradients(model, inputs[some], targets[some], encoding, study.compute)

    def exact(size: int) -> None:
        # Past the bound that the attacks keep to on a CPU.
        gradients.CPU_ROWS, bound = size, gradients.CPU_ROWS
        gradients.exact(model, trials, wanted, encoding, study.compute, size)
        gradients.CPU_ROWS = bound

    def attack(size: int) -> None:
        config = study.hotflip.model_copy(update={"batch_size": size, "flips": 2})
        hotflip.run(model, examples, allowed, config, study.compute, 0)

    search = uat._Search(model, examples, allowed, study.uat, study.compute)
    triggers = [allowed.random_ids(study.uat.trigger_tokens, random) for _ in range(study.uat.candidates)]
    rows = list(range(study.uat.batch_size))

    def score_one_by_one() -> None:
        for trigger in triggers:
            for row in rows:
                search.losses([trigger], [row])

    def generate(size: int) -> None:
        decoding = study.evaluate.decoding.model_copy(update={"batch_size": size})
        generation.generate(model, inputs, decoding, encoding, study.compute)

    values = random.random((2000, 1))

    def by_scipy() -> None:
        stats.bootstrap((values[:, 0],), np.mean, n_resamples=1000, method="percentile", rng=np.random.default_rng(0))

    count = study.hotflip.candidates
    print("| what | variant | CPU ms | ratio |\n|---|---|---:|---:|")
    report(
        f"gradients of {EXAMPLES} examples",
        {"one batch (used)": lambda: gradient(EXAMPLES), "one by one": lambda: gradient(1)},
    )
    report(
        f"exact losses of {EXAMPLES} x {count} HotFlip candidates",
        {
            "32 at a time (used)": lambda: exact(32),
            "all at once": lambda: exact(len(trials)),
            "one example's candidates at a time": lambda: exact(count),
            "one by one": lambda: exact(1),
        },
    )
    report(
        f"HotFlip, 2 flips, {EXAMPLES} examples",
        {"batches of 32 (used)": lambda: attack(32), "one example at a time": lambda: attack(1)},
    )
    report(
        f"losses of {len(triggers)} triggers on {len(rows)} examples",
        {
            "triggers x examples, 32 at a time (used)": lambda: search.losses(triggers, rows),
            "one trigger at a time": lambda: [search.losses([trigger], rows) for trigger in triggers],
            "one by one": score_one_by_one,
        },
    )
    report(
        f"beam search, {EXAMPLES} documents",
        {"batches of 64 (used)": lambda: generate(64), "one by one": lambda: generate(1)},
    )
    report(
        "interval of 2000 scores, 1000 resamples",
        {
            "vectorised (used)": lambda: intervals.means(values, 1000, np.random.default_rng(0)),
            "scipy.stats.bootstrap": by_scipy,
        },
    )


if __name__ == "__main__":
    main()
