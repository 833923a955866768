import pytest
import standin
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return standin.corpus(tmp_path_factory.mktemp("evaluation") / "data")


@pytest.fixture(scope="session")
def encoding(corpus):
    return corpus[0]


@pytest.fixture(scope="session")
def examples(corpus):
    return corpus[1]["test_news"]


@pytest.fixture(scope="session")
def model():
    return standin.model()
