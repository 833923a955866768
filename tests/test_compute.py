"""Device, threads and determinism are what the scale file says."""

import pytest
import torch

from mono_s2s import compute
from mono_s2s.files import BadInput
from mono_s2s.scale import Compute


@pytest.fixture(autouse=True)
def restore():
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def test_threads_and_determinism():
    device = compute.prepare(Compute(device="cpu", threads=1, precision="fp32"))
    assert device == torch.device("cpu")
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_missing_gpu_is_an_error_and_no_silent_cpu():
    with pytest.raises(BadInput, match=r"compute\.device: cuda, but this machine has no CUDA device"):
        compute.prepare(Compute(device="cuda", threads=1, precision="bf16"))


def test_autocast_only_where_asked():
    with compute.autocast(Compute(device="cpu", threads=1, precision="fp32")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_bf16_on_a_gpu():
    setting = Compute(device="cuda", threads=1, precision="bf16")
    device = compute.prepare(setting)
    with compute.autocast(setting):
        assert (torch.ones(2, 2, device=device) @ torch.ones(2, 2, device=device)).dtype == torch.bfloat16
