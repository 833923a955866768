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
from mono_s2s.scale import Compute, Hotflip, HotflipText


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


# A candidate: position and new id.
Candidate = tuple[int, int]


@dataclass(frozen=True)
class Result:
    """One attack on n examples, in the given order."""

    records: list[Record]
    # Single examples passed through the model.
    forward: int
    backward: int
    # The candidates of each example's first step, and the exact change of the loss in nats that each of them makes.
    candidates: list[list[Candidate]]
    changes: list[list[float]]


def _guided(
    table: torch.Tensor,
    inputs: list[list[int]],
    free: list[list[int]],
    tried: list[int],
    space: Space,
    weight: torch.Tensor,
    count: int,
) -> list[list[Candidate]]:
    """The next `count` candidates of each example by first-order estimate, behind the `tried` first ones.

    All pairs of a free position and another token are scored. First comes the best token of every position, positions
    in order of that score, then the second best of every position, and so on: the best few pairs by score alone are
    mostly one position with tokens that lie close together, and trying them all says little more than trying one.

    Args:
        table: (B, L, d) gradients.
        inputs: B packed inputs as they stand.
        free: positions of each that may be flipped.
        tried: how many of each ranking have been tried on this very input, in vain.
        space: what may be written.
        weight: (V, d), the embedding matrix.
        count: candidates an example.
    """
    allowed = torch.from_numpy(space.allowed).to(table.device)
    chosen: list[list[Candidate]] = []
    for row, places in enumerate(free):
        if not places:
            chosen.append([])
            continue
        standing = torch.tensor([inputs[row][place] for place in places], device=table.device)
        # One more than are needed of each position: the current token may be among them, with no score.
        depth = -(-(tried[row] + count) // len(places)) + 1
        # (P, depth) each
        values, tokens = gradients.best_tokens(table[row, places], standing, weight, allowed, depth)
        order = values.sort(dim=0, descending=True, stable=True).indices
        ranked = [
            (places[place], token)
            for column, ids, scores in zip(order.T.tolist(), tokens.T.tolist(), values.T.tolist(), strict=True)
            for place, token, score in ((place, ids[place], scores[place]) for place in column)
            if score > float("-inf")
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
            some.append((place, space.another_id(ids[place], random)))
        chosen.append(some)
    return chosen


def run(
    model: torch.nn.Module,
    examples: Sequence[Example],
    space: Space,
    config: Hotflip | HotflipText,
    compute: Compute,
    seed: int,
    *,
    guided: bool = True,
) -> Result:
    """Attack every example with the same budget: `config.flips` steps, whatever they achieve.

    A step takes the gradient of each example's loss (first reference, nats), ranks all pairs of a free position and
    another token by first-order estimate, passes the first `config.candidates` through the model in one batch, and
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
        guided: by gradient, or by random draws at the same cost: gradients.GRADIENT_COST more candidates a step.

    Raises:
        BadInput: no examples.
    """
    if not examples:
        raise BadInput("hotflip: no examples to attack: the split attack_evaluation is empty")
    encoding = space.encoding
    weight = model.get_input_embeddings().weight.detach().float()
    count = config.candidates if guided else config.candidates + gradients.GRADIENT_COST
    records: list[Record] = [None] * len(examples)  # type: ignore[list-item]
    clean = [space.apply(example.document_ids) for example in examples]
    forward = backward = 0
    first: list[list[Candidate]] = [[] for _ in examples]
    changes: list[list[float]] = [[] for _ in examples]
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
                chosen = _guided(table, inputs, free, tried, space, weight, count)
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
                if step == 1:
                    first[group[row]], changes[group[row]] = some, [loss - standing[row] for loss in changed]
                best = int(np.argmax(changed)) if changed else -1
                if best >= 0 and gradients.rises(changed[best], standing[row]):
                    place, token = some[best]
                    found[row].flips.append(Flip(step, place, inputs[row][place], token))
                    inputs[row][place] = token
                    free[row].remove(place)
                    standing[row], tried[row] = changed[best], 0
                else:
                    tried[row] += len(some)
                found[row].losses.append(standing[row])
        for row, record in zip(group, found, strict=True):
            records[row] = record
    return Result(records, forward, backward, first, changes)


def _with(ids: list[int], candidate: Candidate) -> list[int]:
    place, token = candidate
    return [*ids[:place], token, *ids[place + 1 :]]


def first_order_correlation(
    model: torch.nn.Module,
    examples: Sequence[Example],
    space: Space,
    blind: Result,
    config: Hotflip | HotflipText,
    compute: Compute,
) -> float | None:
    """Spearman's correlation of estimated and exact loss changes over the first candidates of a random search.

    Gradients that say nothing about the loss are a sign of gradient masking (Athalye et al., 2018, "Obfuscated
    gradients give a false sense of security"). Candidates drawn at random stand for all substitutions; those that a
    guided search tries all have high estimates. A diagnostic: its gradients belong to no attack's effort.

    Returns:
        None where estimates or changes do not vary.
    """
    weight = model.get_input_embeddings().weight.detach().float()
    clean = [space.apply(example.document_ids) for example in examples]
    estimated: list[float] = []
    exact: list[float] = []
    for group in batches.by_length([len(ids) for ids in clean], config.batch_size):
        targets = [examples[row].reference_ids[0] for row in group]
        table, _ = gradients.embedding_gradients(model, [clean[row] for row in group], targets, space.encoding, compute)
        for line, row in enumerate(group):
            for (place, token), change in zip(blind.candidates[row], blind.changes[row], strict=True):
                step = weight[token] - weight[clean[row][place]]
                estimated.append(float(table[line, place] @ step))
                exact.append(change)
    ranks = [_ranks(np.array(values)) for values in (estimated, exact)]
    if len(exact) < 2 or any(values.std() == 0 for values in ranks):
        return None
    # Rounding may leave a perfect correlation a hair above one.
    return float(np.clip(np.corrcoef(*ranks)[0, 1], -1, 1))


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n,) ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[inverse]


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
