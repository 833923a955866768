"""States of a training run from which it can go on after a kill, bit for bit as if nothing had happened.

A state is two files: tensors (safetensors) and, written after them, JSON with the tensors' SHA-256 and the state's own
digest. Two slots take turns: a state that was torn by a kill or a full disk leaves the one before it. No pickle.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from mono_s2s import files
from mono_s2s.files import BadInput

SLOTS = ("a", "b")


def save(folder: Path, step: int, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Write a state into the slot that does not hold the newest one.

    Args:
        folder: the run's scratch folder; its name holds the digest of everything that the run depends on.
        step: how far the run is, in optimizer steps.
        tensors: contiguous tensors by name.
        facts: what JSON can hold, floats bit for bit.
    """
    newest = _newest_first(folder)
    slot = SLOTS[1 - SLOTS.index(newest[0][0])] if newest else SLOTS[0]
    content = safetensors.torch.save({name: tensor.detach().contiguous() for name, tensor in tensors.items()})
    files.write_bytes(folder / f"{slot}.safetensors", content)
    state = {"step": step, "facts": dict(facts), "tensors": files.sha256(folder / f"{slot}.safetensors")}
    files.write_json(folder / f"{slot}.json", {**state, "digest": files.digest(state)})


def load(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """The newest whole state's tensors (on the CPU) and facts; None where there is none."""
    for slot, state in _newest_first(folder):
        path = folder / f"{slot}.safetensors"
        if path.is_file() and files.sha256(path) == state["tensors"]:
            return safetensors.torch.load_file(path), state["facts"]
        # Torn: it must not count as the newest state when the next one is written.
        (folder / f"{slot}.json").unlink()
    return None


def _newest_first(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for slot in SLOTS:
        try:
            state = files.read_json(folder / f"{slot}.json")
            told = state.pop("digest")
            if files.digest(state) == told:
                found.append((slot, state))
        except (BadInput, AttributeError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda entry: -entry[1]["step"])


def forget(folder: Path) -> None:
    """Remove the state of a run that has succeeded, and older states of the same arm under other parameters."""
    name = folder.name.rsplit("-", 1)[0]
    for sibling in folder.parent.glob(f"{name}-*"):
        shutil.rmtree(sibling, ignore_errors=True)
