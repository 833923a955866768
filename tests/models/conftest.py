import learnable
import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A corpus folder."""
    folder = tmp_path_factory.mktemp("models") / "data"
    learnable.encoding(folder)
    return folder


@pytest.fixture(scope="session")
def encoding(data):
    return learnable.encoding(data)


@pytest.fixture(scope="session")
def text_data(tmp_path_factory):
    """A corpus folder of the decoder-only study."""
    folder = tmp_path_factory.mktemp("models") / "text"
    learnable.encoding(folder, "gpt_neox")
    return folder


@pytest.fixture(scope="session")
def text_encoding(text_data):
    return learnable.encoding(text_data, "gpt_neox")
