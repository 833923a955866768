"""The device, the precision and the determinism of a process that computes."""

from __future__ import annotations

import contextlib
import os

import torch

from mono_s2s.files import BadInput
from mono_s2s.scale import Compute


def prepare(compute: Compute) -> torch.device:
    """Fix threads and determinism for this process and return the device.

    Raises:
        BadInput: device cuda was asked for and there is none.
    """
    if compute.device == "cuda":
        if not torch.cuda.is_available():
            raise BadInput("compute.device: cuda, but this machine has no CUDA device: set it to cpu in the scale file")
        # cuBLAS reads this when its first handle is made; without it use_deterministic_algorithms raises.
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
    torch.set_num_threads(compute.threads)
    torch.use_deterministic_algorithms(True)
    return torch.device(compute.device)


def autocast(compute: Compute) -> contextlib.AbstractContextManager[None]:
    """Forward passes in bfloat16 where `compute.precision` says so; weights and sums stay fp32."""
    if compute.precision == "bf16":
        return torch.autocast(compute.device, dtype=torch.bfloat16)
    return contextlib.nullcontext()
