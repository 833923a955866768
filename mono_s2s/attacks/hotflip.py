"""HotFlip: greedy substitution of single tokens, chosen by gradients and checked by exact losses.

After Ebrahimi et al., 2018, "HotFlip: White-box adversarial examples for text classification". Unlike a one-shot
attack, the gradient is taken anew after every flip, and a flip is committed only if the exact loss rises.

Two controls stand beside it. `random_substitutions` asks what any change of as many tokens would do. `run` with
`guided=False` is a random search: the same loop, the same positions and tokens to choose from and the same cost, but
candidates drawn at random instead of by gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from mono_s2s import progress, seeds
from mono_s2s.attacks import gradients
from mono_s2s.attacks.space import Space
from mono_s2s.corpus.reading import Example
from mono_s2s.files import BadInput
from mono_s2s.models import batches
from mono_s2s.scale import Compute, Hotflip

# A gradient costs one forward and one backward pass, and a backward pass about two forward passes. A search without
# gradients gets as many exact losses more for each step.
GRADIENT_COST = 3


@dataclass(frozen=True)
class Flip:
    """One committed substitution: in which step, where, what stood there and what stands there now."""

    step: int
    position: int
    old: int
    new: int


@dataclass
class Record:
    """What was done to one example."""

    # How many positions could be flipped at all.
    attackable: int
    # One a committed step; a step whose candidates all failed to raise the loss commits none.
    flips: list[Flip] = field(default_factory=list)
    # The search's exact losses in nats: before, and after each step. Empty where nothing was searched.
    losses: list[float] = field(default_factory=list)

    def substitutions(self, steps: int | None = None) -> dict[int, int]:
        """New ids by position, after so many steps (all of them if None)."""
        return {flip.position: flip.new for flip in self.flips if steps is None or flip.step <= steps}

    def changes(self) -> str:
        """ "position:old>new ..." in order of the steps."""
        return " ".join(f"{flip.position}:{flip.old}>{flip.new}" for flip in self.flips)


@dataclass(frozen=True)
class Result:
    """One attack on n examples, in the given order."""

    records: list[Record]
    # Single examples passed through the model.
    forward: int
    backward: int
    # First step of a guided run: estimated and exact change in nats of every candidate that was tried.
    estimated: np.ndarray
    exact: np.ndarray

    def first_order_correlation(self) -> float | None:
        """Pearson's correlation of estimated and exact changes; None where either does not vary.

        Gradients that say nothing about the loss are a sign of gradient masking (Athalye et al., 2018, "Obfuscated
        gradients give a false sense of security").
        """
        if len(self.exact) < 2 or self.estimated.std() == 0 or self.exact.std() == 0:
            return None
        # Rounding may leave a perfect correlation a hair above one.
        return float(np.clip(np.corrcoef(self.estimated, self.exact)[0, 1], -1, 1))


# A candidate: position, new id, estimated change (NaN if drawn at random).
Candidate = tuple[int, int, float]


def _guided(
    table: torch.Tensor, inputs: list[list[int]], free: list[list[int]], tried: list[int], space: Space, **settings
) -> list[list[Candidate]]:
    """The `count` best candidates of each example by first-order estimate, behind the `tried` best ones.

    Args:
        table: (B, L, d) gradients.
        inputs: B packed inputs as they stand.
        free: positions of each that may be flipped.
        tried: how many of each ranking have been tried on this very input, in vain.
        space: what may be written.
        **settings: `weight` (V, d) and `count`.
    """
    weight, count = settings["weight"], settings["count"]
    allowed = torch.from_numpy(space.allowed).to(table.device)
    depth = count + max(tried)
    chosen = []
    for row, places in enumerate(free):
        if not places:
            chosen.append([])
            continue
        standing = torch.tensor([inputs[row][place] for place in places], device=table.device)
        # (P, k) each: no position can give more than `depth` of the `depth` best
        values, tokens = gradients.best_tokens(table[row, places], standing, weight, allowed, depth)
        best, index = values.flatten().topk(min(depth, values.numel()))
        width = values.shape[1]
        ranked = [
            (places[at // width], token, value)
            for at, token, value in zip(index.tolist(), tokens.flatten()[index].tolist(), best.tolist(), strict=True)
            if value > float("-inf")
        ]
        chosen.append(ranked[tried[row] : tried[row] + count])
    return chosen


def _drawn(
    inputs: list[list[int]], free: list[list[int]], draws: list[np.random.Generator], space: Space, count: int
) -> list[list[Candidate]]:
    """`count` random candidates for each example: a uniform free position, a uniform other token."""
    chosen = []
    for ids, places, random in zip(inputs, free, draws, strict=True):
        some: list[Candidate] = []
        for _ in range(count if places else 0):
            place = places[int(random.integers(len(places)))]
            some.append((place, space.another_id(ids[place], random), float("nan")))
        chosen.append(some)
    return chosen


def run(
    model: torch.nn.Module,
    examples: Sequence[Example],
    space: Space,
    config: Hotflip,
    compute: Compute,
    seed: int,
    *,
    guided: bool = True,
) -> Result:
    """Attack every example with the same budget: `config.flips` steps, whatever they achieve.

    A step takes the gradient of each example's loss (first reference, nats), ranks all pairs of a free position and
    another token by first-order estimate, passes the best `config.candidates` through the model in one batch, and
    commits the best of them if the loss rises. A position is flipped at most once. Where no candidate raises the loss,
    the next step goes on with the next ones of the ranking. An example with fewer attackable tokens than flips ends up
    with all of them flipped; what it spends is counted as it is.

    Args:
        model: in evaluation mode, parameters frozen.
        examples: n examples.
        space: what may be touched and written.
        config: flips, candidates, examples a batch.
        compute: precision of the search.
        seed: the attack seed; used by the random search alone.
        guided: by gradient, or by random draws at the same cost: GRADIENT_COST more candidates a step.

    Raises:
        BadInput: no examples.
    """
    if not examples:
        raise BadInput("hotflip: no examples to attack: the split attack_evaluation is empty")
    encoding = space.encoding
    weight = model.get_input_embeddings().weight.detach().float()
    count = config.candidates if guided else config.candidates + GRADIENT_COST
    records: list[Record] = [None] * len(examples)  # type: ignore[list-item]
    clean = [space.apply(example.document_ids) for example in examples]
    forward = backward = 0
    estimated: list[float] = []
    exact: list[float] = []
    groups = batches.by_length([len(ids) for ids in clean], config.batch_size)
    for group in progress.track(groups, "hotflip" if guided else "hotflip, random search", len(groups)):
        inputs = [list(clean[row]) for row in group]
        targets = [examples[row].reference_ids[0] for row in group]
        free = [space.attackable(ids) for ids in inputs]
        # One generator an example: what is drawn for it does not depend on its batch.
        draws = [seeds.generator(seed, "hotflip", "search", examples[row].example_id) for row in group]
        tried = [0] * len(group)
        found = [Record(attackable=len(places)) for places in free]
        standing = gradients.exact(model, inputs, targets, encoding, compute, len(group)).tolist()
        forward += len(group)
        for record, loss in zip(found, standing, strict=True):
            record.losses.append(loss)
        for step in range(1, config.flips + 1):
            if guided:
                table, _ = gradients.embedding_gradients(model, inputs, targets, encoding, compute)
                forward, backward = forward + len(group), backward + len(group)
                chosen = _guided(table, inputs, free, tried, space, weight=weight, count=count)
            else:
                chosen = _drawn(inputs, free, draws, space, count)
            # All candidates of all examples in one batch: (sum of candidates, L)
            owners = [row for row, some in enumerate(chosen) for _ in some]
            flipped = [_with(inputs[row], candidate) for row, some in enumerate(chosen) for candidate in some]
            nats = torch.zeros(0)
            if flipped:
                nats = gradients.exact(
                    model, flipped, [targets[row] for row in owners], encoding, compute, len(flipped)
                )
            forward += len(flipped)
            start = 0
            for row, some in enumerate(chosen):
                changed = nats[start : start + len(some)].tolist()
                start += len(some)
                if guided and step == 1:
                    estimated += [candidate[2] for candidate in some]
                    exact += [loss - standing[row] for loss in changed]
                best = int(np.argmax(changed)) if changed else -1
                if best >= 0 and gradients.rises(changed[best], standing[row]):
                    place, token, _ = some[best]
                    found[row].flips.append(Flip(step, place, inputs[row][place], token))
                    inputs[row][place] = token
                    free[row].remove(place)
                    standing[row], tried[row] = changed[best], 0
                else:
                    tried[row] += len(some)
                found[row].losses.append(standing[row])
        for row, record in zip(group, found, strict=True):
            records[row] = record
    return Result(records, forward, backward, np.array(estimated), np.array(exact))


def _with(ids: list[int], candidate: Candidate) -> list[int]:
    place, token, _ = candidate
    return [*ids[:place], token, *ids[place + 1 :]]


def random_substitutions(examples: Sequence[Example], space: Space, flips: int, seed: int) -> list[Record]:
    """The control "random": for each example `flips` random attackable positions, each with a random other token.

    No model and no loss is asked, so it spends nothing. Drawn anew for each example, so its mean over examples is a
    mean over as many independent draws; the same for all models, so they are compared on the same inputs. Flip j is
    step j: the first k of them are the control of k flips.
    """
    records = []
    for example in examples:
        ids = space.apply(example.document_ids)
        places = space.attackable(ids)
        random = seeds.generator(seed, "hotflip", "random", example.example_id)
        record = Record(attackable=len(places))
        for step, place in enumerate(random.permutation(places)[:flips].tolist(), start=1):
            record.flips.append(Flip(step, place, ids[place], space.another_id(ids[place], random)))
        records.append(record)
    return records


def perturbed(
    examples: Sequence[Example], records: Sequence[Record], space: Space, steps: int | None = None
) -> list[list[int]]:
    """The packed inputs after so many steps (all of them if None); after 0 steps, the clean inputs."""
    return [
        space.apply(example.document_ids, substitutions=record.substitutions(steps))
        for example, record in zip(examples, records, strict=True)
    ]
