"""The one training loop: the standard model from scratch, the baseline and the monotonic arm.

AdamW with linear warm-up and linear decay, token-weighted gradients, batches of similar lengths in a seeded order, fp32
weights (bf16 only inside forward passes), the weights of the best validation loss, and states from which a killed run
goes on bit for bit (`resume`).

What decides the bits of the result, and therefore is a parameter: device, threads and precision (order of sums), batch
size and accumulation (composition of batches, order of sums), epochs, seed. What does not: how often states are saved,
how often the run was killed, whether anyone watches.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from mono_s2s import files, progress, record, resume, seeds
from mono_s2s.compute import autocast
from mono_s2s.corpus.reading import Encoding, Pair
from mono_s2s.files import BadInput
from mono_s2s.models import losses, monotone
from mono_s2s.models.batches import collate
from mono_s2s.scale import Compute, Optimization

SCHEDULE = "linear warm-up, then linear decay to 0"
CURVE_COLUMNS = ("step", "epoch", "split", "nll_per_token")
# Steps whose examples are sorted by length together: more pad less, fewer mix better.
POOL = 50
# Rows of the training curve; each is the mean over its share of the steps.
CURVE_ROWS = 200
# No gradients are kept in validation, so more examples fit.
VALIDATION_BATCHES = 4

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a run leaves beside the weights; the parts are as `evidence.schemas.Training` holds them."""

    # Before the first step.
    initial: Row
    epochs: list[Row]
    best: Row
    budget: Row
    # Rows of curves.csv.
    curve: list[Row]


@dataclass
class _Run:
    """How far a run is: all of it that JSON can hold."""

    step: int = 0
    input_tokens: int = 0
    target_tokens: int = 0
    epoch_nats: float = 0.0
    epoch_tokens: int = 0
    window_nats: float = 0.0
    window_tokens: int = 0
    initial: Row | None = None
    epochs: list[Row] = field(default_factory=list)
    curve: list[Row] = field(default_factory=list)


def order(lengths: Sequence[tuple[int, int]], size: int, seed: int, epoch: int) -> list[list[int]]:
    """The examples of each step of an epoch: a pure function of its arguments.

    Examples are shuffled, sorted by length inside pools of `POOL` steps, cut into steps, and the steps shuffled.

    Args:
        lengths: (input, target) tokens of each example.
        size: examples a step.
        seed: the run's training seed; the same for both arms, which therefore see the same batches.
        epoch: counted from 0.
    """
    generator = seeds.generator(seed, "order", epoch)
    shuffled = generator.permutation(len(lengths)).tolist()
    steps = []
    for start in range(0, len(shuffled), POOL * size):
        pool = sorted(shuffled[start : start + POOL * size], key=lambda index: lengths[index])
        steps += [pool[first : first + size] for first in range(0, len(pool), size)]
    return [steps[index] for index in generator.permutation(len(steps)).tolist()]


def learning_rate(step: int, total: int, settings: Optimization) -> float:
    """The rate of step 0 <= `step` < `total`: the peak is reached at the end of warm-up, no step has rate 0."""
    warm = math.ceil(settings.warmup_ratio * total)
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    return settings.learning_rate * (total - step) / max(1, total - warm)


def groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """AdamW's parameter groups: with decay, and without (norms, biases, position biases, the V of a constraint)."""
    decayed, free = [], []
    for name, parameter in model.named_parameters():
        bias = parameter.ndim < 2 or name.endswith("bias") or "relative_attention_bias" in name
        (free if bias or monotone.is_free(name) else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


def state_key(params: Mapping[str, Any], inputs: Sequence[Path], root: Path = Path()) -> str:
    """What a run's states are keyed by: the first-party code that is loaded, parameters, the inputs' content."""
    told = {item.as_posix(): files.md5(root / item) for item in inputs}
    return files.digest({"code": record.loaded_code(root), "params": dict(params), "inputs": told})


def train(
    model: torch.nn.Module,
    training: Sequence[Pair],
    validation: Sequence[Pair],
    *,
    settings: Optimization,
    compute: Compute,
    encoding: Encoding,
    seed: int,
    title: str,
    state: Path | None = None,
    follow: Callable[[Row], None] = lambda row: None,
    save_seconds: float = 300.0,
) -> Outcome:
    """Train `model` in place; it ends with the weights of the epoch that has the lowest validation loss.

    Args:
        model: fp32, on its device, constrained already where it is to be.
        training: what it learns.
        validation: what its epochs are judged by.
        settings: the optimization.
        compute: precision; the process has been prepared with it (`compute.prepare`).
        encoding: padding and start ids.
        seed: of data order and dropout.
        title: what the progress bar and errors call the run.
        state: folder for states to resume from; a whole state that lies there is taken up. None for none.
        follow: is told each row of the curve, in order; after a resume, those before it first.
        save_seconds: save a state this often, besides at the end of each epoch.

    Raises:
        BadInput: no examples, a loss or gradient that is not finite (names the step), or a signal that asked the
            process to stop (SIGTERM, SIGUSR1, SIGINT), after the state has been saved.
    """
    if not training or not validation:
        raise BadInput(f"{title}: no {'training' if not training else 'validation'} examples: run stage corpus again")
    lengths = [(len(pair.input_ids), len(pair.target_ids)) for pair in training]
    size = settings.batch_size * settings.accumulation
    steps = math.ceil(len(training) / size)
    total = steps * settings.epochs
    every = max(1, total // CURVE_ROWS)
    optimizer = torch.optim.AdamW(groups(model, settings.weight_decay), lr=settings.learning_rate)
    if settings.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    torch.manual_seed(seeds.derived(seed, "dropout"))
    run, best = _resumed(state, model, optimizer)

    def log(split: str, epoch: int, nats: float, tokens: int) -> None:
        row = {"step": run.step, "epoch": epoch, "split": split, "nll_per_token": nats / tokens}
        run.curve.append(row)
        follow(row)

    def validate(epoch: int, train_nll: float | None) -> Row:
        nats, tokens = _validation(model, validation, settings, compute, encoding)
        if not math.isfinite(nats):
            raise BadInput(
                f"{title}: validation loss is {nats} after step {run.step}: lower optimization.learning_rate"
            )
        log("validation", epoch, nats, tokens)
        return {
            "epoch": epoch,
            "step": run.step,
            "train_nll_per_token": train_nll,
            "validation_nll_per_token": nats / tokens,
            "validation_tokens": tokens,
        }

    with _signals() as asked, progress.bar(title, total) as bar:
        for row in run.curve:
            follow(row)
        bar.advance(run.step)
        if run.initial is None:
            run.initial = validate(0, None)
        saved, plan, planned = time.monotonic(), [], -1
        while run.step < total:
            epoch, index = divmod(run.step, steps)
            if planned != epoch:
                plan, planned = order(lengths, size, seed, epoch), epoch
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(run.step, total, settings)
            batch = [training[i] for i in plan[index]]
            nats = _step(
                model, optimizer, batch, settings, compute, encoding, f"{title}: step {run.step + 1} of {total}"
            )
            tokens = sum(len(pair.target_ids) for pair in batch)
            run.step += 1
            run.input_tokens += sum(len(pair.input_ids) for pair in batch)
            run.target_tokens += tokens
            run.epoch_nats, run.epoch_tokens = run.epoch_nats + nats, run.epoch_tokens + tokens
            run.window_nats, run.window_tokens = run.window_nats + nats, run.window_tokens + tokens
            if run.step % every == 0 or run.step == total:
                log("train", epoch + 1, run.window_nats, run.window_tokens)
                bar.describe(f"{title}, epoch {epoch + 1}/{settings.epochs}, loss {run.curve[-1]['nll_per_token']:.3f}")
                run.window_nats, run.window_tokens = 0.0, 0
            if run.step % steps == 0:
                run.epochs.append(validate(epoch + 1, run.epoch_nats / run.epoch_tokens))
                run.epoch_nats, run.epoch_tokens = 0.0, 0
                if _best(run.epochs) is run.epochs[-1]:
                    best = {name: value.detach().to("cpu", copy=True) for name, value in model.named_parameters()}
            bar.advance()
            due = run.step % steps == 0 or time.monotonic() - saved >= save_seconds or asked
            if state is not None and due:
                _save(state, run, model, optimizer, best)
                saved = time.monotonic()
            if asked and run.step < total:
                what = "run again to go on from there" if state is not None else "nothing was saved"
                raise BadInput(f"{title}: stopped by {asked[0]} after step {run.step} of {total}: {what}")
    if settings.gradient_checkpointing:
        model.activation_checkpointing_disable()
    _restore(model, best)
    return Outcome(run.initial, run.epochs, _best(run.epochs), _budget(settings, run, len(training)), run.curve)


def _step(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    pairs: Sequence[Pair],
    settings: Optimization,
    compute: Compute,
    encoding: Encoding,
    where: str,
) -> float:
    """One optimizer step on the mean over all target tokens of `pairs`; returns the sum in nats."""
    model.train()
    optimizer.zero_grad(set_to_none=True)
    device = next(model.parameters()).device
    tokens = sum(len(pair.target_ids) for pair in pairs)
    nats = 0.0
    for start in range(0, len(pairs), settings.batch_size):
        part = pairs[start : start + settings.batch_size]
        batch = collate([pair.input_ids for pair in part], [pair.target_ids for pair in part], encoding, device)
        with monotone.cached(model):
            with autocast(compute):
                logits = losses.logits(model, batch, encoding)
            loss = losses.per_example(logits, batch["labels"])[0].sum()
            # Divided by the tokens of the whole step, not of the part: a token weighs the same wherever it stands.
            (loss / tokens).backward()
        nats += loss.item()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_gradient_norm).item()
    for name, value in (("loss", nats), ("gradient norm", norm)):
        if not math.isfinite(value):
            raise BadInput(f"{where}: {name} is {value}: lower the learning rate, or look at the data")
    optimizer.step()
    return nats


def _validation(
    model: torch.nn.Module, pairs: Sequence[Pair], settings: Optimization, compute: Compute, encoding: Encoding
) -> tuple[float, int]:
    """Sum of nats and number of target tokens over all validation pairs."""
    model.eval()
    inputs, targets = [pair.input_ids for pair in pairs], [pair.target_ids for pair in pairs]
    size = settings.batch_size * VALIDATION_BATCHES
    with torch.no_grad(), monotone.cached(model):
        nats, tokens = losses.nll(model, inputs, targets, encoding, compute, size)
    return float(nats.sum()), int(tokens.sum())


def _best(epochs: Sequence[Row]) -> Row:
    return min(epochs, key=lambda row: row["validation_nll_per_token"])


def _budget(settings: Optimization, run: _Run, examples: int) -> Row:
    return {
        "epochs": settings.epochs,
        "steps": run.step,
        "batch_size": settings.batch_size,
        "accumulation": settings.accumulation,
        "examples": examples * settings.epochs,
        "input_tokens": run.input_tokens,
        "target_tokens": run.target_tokens,
        "learning_rate": settings.learning_rate,
        "schedule": SCHEDULE,
        "warmup_ratio": settings.warmup_ratio,
        "weight_decay": settings.weight_decay,
        "max_gradient_norm": settings.max_gradient_norm,
        "dropout": settings.dropout,
    }


def _save(
    folder: Path,
    run: _Run,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, torch.Tensor],
) -> None:
    tensors = {"random/cpu": torch.get_rng_state()}
    if next(model.parameters()).is_cuda:
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    for name, parameter in model.named_parameters():
        tensors[f"model/{name}"] = parameter
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer/{key}/{name}"] = value
    tensors |= {f"best/{name}": value for name, value in best.items()}
    resume.save(folder, run.step, tensors, asdict(run))


def _resumed(
    folder: Path | None, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[_Run, dict[str, torch.Tensor]]:
    found = resume.load(folder) if folder is not None else None
    if found is None:
        return _Run(), {}
    tensors, facts = found
    _restore(model, {name: tensors[f"model/{name}"] for name, _ in model.named_parameters()})
    for name, parameter in model.named_parameters():
        for key in ("step", "exp_avg", "exp_avg_sq"):
            value = tensors[f"optimizer/{key}/{name}"]
            # AdamW keeps its counter on the CPU.
            optimizer.state[parameter][key] = value if key == "step" else value.to(parameter.device)
    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"])
    return _Run(**facts), {name[5:]: value for name, value in tensors.items() if name.startswith("best/")}


def _restore(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


@contextmanager
def _signals() -> Iterator[list[str]]:
    """The names of signals to stop that came in the block; whoever reads them decides when to stop."""
    asked: list[str] = []
    kinds = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
    before = {kind: signal.signal(kind, lambda number, _: asked.append(signal.Signals(number).name)) for kind in kinds}
    try:
        yield asked
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
