"""What an attack may touch and what it may write; the one place where a perturbation meets an input.

Everything is token ids: a text that is decoded and encoded again is another text, and the changes that count would not
be the changes that were made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from mono_s2s.corpus.reading import Encoding
from mono_s2s.files import BadInput


@dataclass(frozen=True)
class Space:
    """The threat model in ids."""

    encoding: Encoding
    # (A,) int64, ascending: the ids that an attack may write
    allowed: np.ndarray

    @cached_property
    def _writable(self) -> frozenset[int]:
        return frozenset(self.allowed.tolist())

    def attackable(self, input_ids: Sequence[int]) -> list[int]:
        """The positions of a packed clean input that may be changed, ascending.

        Not the prefix, not the end of sequence (where inputs have one), and no position that holds a special,
        sentinel or unknown token.
        """
        start = len(self.encoding.prefix_ids)
        end = len(input_ids) - len(self.encoding.closing_ids)
        forbidden = self.encoding.forbidden_ids
        return [place for place in range(start, end) if input_ids[place] not in forbidden]

    def apply(
        self,
        document_ids: Sequence[int],
        *,
        trigger: Sequence[int] = (),
        substitutions: Mapping[int, int] | None = None,
        reserve: int = 0,
    ) -> list[int]:
        """The packed input of a document under a perturbation; without one, the clean input.

        Args:
            document_ids: the document, as the corpus has it.
            trigger: ids to stand right after the prefix.
            substitutions: new ids by position in the packed input.
            reserve: leave this much room for a trigger, whether there is one or not (`Encoding.pack`).

        Raises:
            BadInput: an id that must not be written, or a position that must not be touched.
        """
        written = [*trigger, *(substitutions or {}).values()]
        bad = sorted(set(written) - self._writable)
        if bad:
            raise BadInput(f"an attack wrote token {bad[0]}, which is special or no token of the tokenizer")
        packed = self.encoding.pack(document_ids, trigger=trigger, reserve=reserve)
        if substitutions:
            bad = sorted(set(substitutions) - set(self.attackable(packed)))
            if bad:
                raise BadInput(f"an attack changed position {bad[0]}, which holds the prefix or a special token")
            for place, token in substitutions.items():
                packed[place] = token
        return packed

    def random_ids(self, count: int, random: np.random.Generator) -> list[int]:
        """`count` ids that an attack may write, independent and uniform."""
        return self.allowed[random.integers(len(self.allowed), size=count)].tolist()

    def another_id(self, current: int, random: np.random.Generator) -> int:
        """A uniform id that an attack may write, other than `current`."""
        place = int(np.searchsorted(self.allowed, current))
        standing = place < len(self.allowed) and self.allowed[place] == current
        drawn = int(random.integers(len(self.allowed) - standing))
        return int(self.allowed[drawn + (standing and drawn >= place)])


def space(model: torch.nn.Module, encoding: Encoding) -> Space:
    """The space of a model: every id of the tokenizer that is not forbidden.

    Raises:
        BadInput: the model's embedding is smaller than the vocabulary, or fewer than two ids are left.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    forbidden = encoding.forbidden(rows)
    allowed = np.array([token for token in range(rows) if token not in forbidden], dtype=np.int64)
    if len(allowed) < 2:
        raise BadInput(f"{len(allowed)} tokens may be written, which leaves no choice: look at encoding.json")
    return Space(encoding=encoding, allowed=allowed)
