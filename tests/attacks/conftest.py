import pytest
import standin
import torch

from mono_s2s.attacks.space import space


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return standin.corpus(tmp_path_factory.mktemp("attacks") / "data")


@pytest.fixture(scope="session")
def encoding(corpus):
    return corpus[0]


@pytest.fixture(scope="session")
def examples(corpus):
    return corpus[1]["attack_evaluation"]


@pytest.fixture(scope="session")
def optimization(corpus):
    return corpus[1]["attack_optimization"]


@pytest.fixture(scope="session")
def model():
    return standin.model()


@pytest.fixture(scope="session")
def allowed(model, encoding):
    return space(model, encoding)
