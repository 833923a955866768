"""Universal adversarial triggers: one short sequence of tokens that harms every document or context it stands before.

After Wallace et al., 2019, "Universal adversarial triggers for attacking and analyzing NLP". The trigger stands right
after the prefix, and room for it is kept in clean inputs too, so that both hold the same part of the document.

Two controls stand beside it. `random_triggers` asks what any tokens in that place would do. `learn` with
`guided=False` is a random search: the same loop at the same cost, but candidates drawn at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mono_s2s import progress, seeds
from mono_s2s.attacks import gradients
from mono_s2s.attacks.space import Space
from mono_s2s.corpus.reading import Example
from mono_s2s.files import BadInput
from mono_s2s.models import losses
from mono_s2s.scale import Compute, Uat, UatText


@dataclass(frozen=True)
class Trigger:
    """What a search found."""

    ids: tuple[int, ...]
    # Token-weighted loss on the whole attack-optimization split.
    search_nll_per_token: float
    # That loss of the first random start, then of the best trigger so far after every sweep, restart after restart.
    trace: tuple[float, ...]
    # Steps (one position, all its candidates) in the sweeps that led to `ids`, and how many replaced a token.
    steps: int
    accepted: int
    # Single examples passed through the model, over all restarts.
    forward: int
    backward: int


def inputs(examples: Sequence[Example], trigger: Sequence[int], space: Space, config: Uat | UatText) -> list[list[int]]:
    """The packed inputs of all examples under a trigger; without one (an empty sequence), the clean inputs.

    Both leave room for `config.trigger_tokens`, so they hold the same document tokens.
    """
    return [space.apply(example.document_ids, trigger=trigger, reserve=config.trigger_tokens) for example in examples]


def attacked(
    examples: Sequence[Example], trigger: Trigger, space: Space, config: Uat | UatText, name: str
) -> list[list[int]]:
    """The packed inputs under a learned trigger.

    Raises:
        BadInput: the search never ran, or never found a better token than its random start had: to call that an
            attack would be to report a control under another name.
    """
    if len(trigger.ids) != config.trigger_tokens or trigger.steps == 0 or trigger.accepted == 0:
        raise BadInput(
            f"uat: the trigger for {name} is not learned ({trigger.accepted} of {trigger.steps} steps replaced a "
            "token): raise uat.iterations or uat.candidates"
        )
    return inputs(examples, trigger.ids, space, config)


def _batches(n: int, size: int, count: int, random: np.random.Generator) -> list[list[int]]:
    """`count` batches of min(n, size) examples from shuffled passes over all of them; none twice in one batch."""
    size = min(n, size)
    queue: list[int] = []
    chosen: list[list[int]] = []
    for _ in range(count):
        if len(queue) < size:
            # What is left of one pass comes first in the next.
            queue += [row for row in random.permutation(n).tolist() if row not in queue]
        chosen.append(queue[:size])
        queue = queue[size:]
    return chosen


class _Search:
    """The fixed parts of one search, and what it spends."""

    def __init__(self, model, examples, space: Space, config: Uat | UatText, compute: Compute) -> None:
        self.model, self.space, self.config, self.compute = model, space, config, compute
        self.examples = examples
        self.weight = model.get_input_embeddings().weight.detach().float()
        self.allowed = torch.from_numpy(space.allowed).to(self.weight.device)
        self.forward = self.backward = 0

    def losses(self, triggers: list[list[int]], rows: list[int]) -> list[float]:
        """Each trigger's loss in nats, summed over the examples in `rows`; one (triggers x examples, L) batch."""
        packed = [ids for trigger in triggers for ids in self._packed(trigger, rows)]
        targets = [self.examples[row].reference_ids[0] for row in rows] * len(triggers)
        nats = gradients.exact(self.model, packed, targets, self.space.encoding, self.compute, len(packed))
        self.forward += len(packed)
        return nats.double().view(len(triggers), len(rows)).sum(dim=1).tolist()

    def split_nll(self, trigger: list[int]) -> float:
        """Token-weighted loss on the whole split, in batches of like length."""
        rows = range(len(self.examples))
        bound = (
            gradients.CPU_ROWS if self.model.device.type == "cpu" else self.config.batch_size * self.config.candidates
        )
        nats, tokens = losses.nll(
            self.model,
            self._packed(trigger, rows),
            [example.reference_ids[0] for example in self.examples],
            self.space.encoding,
            self.compute,
            bound,
        )
        self.forward += len(self.examples)
        return float(nats.sum() / tokens.sum())

    def guided(self, trigger: list[int], place: int, rows: list[int]) -> list[int]:
        """The tokens for one position that would raise the batch's loss most, to first order."""
        targets = [self.examples[row].reference_ids[0] for row in rows]
        # (B, L, d); the trigger stands at the same positions in every input
        table, _ = gradients.embedding_gradients(
            self.model, self._packed(trigger, rows), targets, self.space.encoding, self.compute
        )
        self.forward, self.backward = self.forward + len(rows), self.backward + len(rows)
        gradient = table[:, len(self.space.encoding.prefix_ids) + place].mean(dim=0, keepdim=True)
        current = torch.tensor([trigger[place]], device=gradient.device)
        values, tokens = gradients.best_tokens(gradient, current, self.weight, self.allowed, self.config.candidates)
        return [
            token for token, value in zip(tokens[0].tolist(), values[0].tolist(), strict=True) if value > float("-inf")
        ]

    def drawn(self, trigger: list[int], place: int, random: np.random.Generator) -> list[int]:
        """Random other tokens for one position, as many as cost what a gradient and its candidates cost."""
        count = self.config.candidates + gradients.GRADIENT_COST
        return [self.space.another_id(trigger[place], random) for _ in range(count)]

    def _packed(self, trigger: Sequence[int], rows: Sequence[int]) -> list[list[int]]:
        return inputs([self.examples[row] for row in rows], trigger, self.space, self.config)


def learn(
    model: torch.nn.Module,
    examples: Sequence[Example],
    space: Space,
    config: Uat | UatText,
    compute: Compute,
    seed: int,
    *,
    guided: bool = True,
) -> Trigger:
    """Search a trigger on the attack-optimization split.

    Every restart starts from random tokens. A sweep takes the next batch of examples and visits every position once:
    the batch's mean gradient at that position ranks all tokens, the best `config.candidates` are scored exactly on the
    same batch, and the best one replaces the token if the batch's loss rises. After each sweep the trigger's loss on
    the whole split is taken; the best trigger over all sweeps and restarts by that loss is the result. Nothing stops
    early, so every model is attacked with the same budget. Starts and batches depend on the seed alone: they are the
    same for all models and for the random search.

    Args:
        model: in evaluation mode, parameters frozen.
        examples: the attack-optimization split.
        space: what may be written.
        config: length, sweeps, candidates, batch size, restarts.
        compute: precision of the search.
        seed: the attack seed.
        guided: by gradient, or by random draws at the same cost: gradients.GRADIENT_COST more candidates a position.

    Raises:
        BadInput: no examples.
    """
    if not examples:
        raise BadInput("uat: no examples to learn a trigger on: the split attack_optimization is empty")
    search = _Search(model, examples, space, config, compute)
    best: tuple[float, tuple[int, ...], int, int] | None = None
    trace: list[float] = []
    with progress.bar("uat" if guided else "uat, random search", config.restarts * config.iterations) as bar:
        for restart in range(config.restarts):
            trigger = space.random_ids(config.trigger_tokens, seeds.generator(seed, "uat", "start", restart))
            order = seeds.generator(seed, "uat", "batches", restart)
            random = seeds.generator(seed, "uat", "search", restart)
            start = search.split_nll(trigger)
            if not trace:
                trace.append(start)
            steps = accepted = 0
            for rows in _batches(len(examples), config.batch_size, config.iterations, order):
                (standing,) = search.losses([trigger], rows)
                for place in range(config.trigger_tokens):
                    tokens = search.guided(trigger, place, rows) if guided else search.drawn(trigger, place, random)
                    tries = [[*trigger[:place], token, *trigger[place + 1 :]] for token in tokens]
                    found = search.losses(tries, rows)
                    steps += 1
                    winner = int(np.argmax(found))
                    if gradients.rises(found[winner], standing):
                        trigger, standing, accepted = tries[winner], found[winner], accepted + 1
                reached = search.split_nll(trigger)
                # A state that never left its random start is no trigger, however well it scores.
                if best is None or (accepted > 0, reached) > (best[3] > 0, best[0]):
                    best = (reached, tuple(trigger), steps, accepted)
                trace.append(best[0])
                bar.advance()
    reached, ids, steps, accepted = best  # type: ignore[misc]
    return Trigger(ids, reached, tuple(trace), steps, accepted, search.forward, search.backward)


def random_triggers(examples: Sequence[Example], space: Space, config: Uat | UatText, seed: int) -> list[list[int]]:
    """The control "random": for each example a random trigger of the same length.

    No model and no loss is asked, so it spends nothing. A trigger of its own for each example has the same expected
    damage as one for all of them, and a mean over as many independent draws as there are examples instead of one. The
    same for all models.
    """
    return [
        space.random_ids(config.trigger_tokens, seeds.generator(seed, "uat", "random", example.example_id))
        for example in examples
    ]
