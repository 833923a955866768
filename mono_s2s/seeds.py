"""Seeds that are derived from declared ones, so that two uses of one seed never share random numbers."""

from __future__ import annotations

import hashlib

import numpy as np


def derived(seed: int, *names: str | int) -> int:
    """A seed for one purpose: the first four bytes of SHA-256 over "seed/name/name...", 0 <= result < 2**32.

    Args:
        seed: a declared seed.
        names: what the new seed is for, for example ("attack",) or ("restart", 2).
    """
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy's generator under the derived seed."""
    return np.random.default_rng(derived(seed, *names))


def attack_seed(seed: int) -> int:
    """The seed of all attacks of a run: `derived(seed, "attack")`.

    Training seed and attack seed are separate fields of every result, so that one can be varied without the other.
    """
    return derived(seed, "attack")
