import pytest
import standin
import torch

from mono_s2s.attacks.space import space


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session", params=standin.KINDS.values(), ids=standin.KINDS)
def kind(request):
    """The attacks are the same in both studies, and so are their tests; a module may settle on one."""
    return request.param


@pytest.fixture(scope="session")
def corpus(kind, tmp_path_factory):
    return standin.corpus(tmp_path_factory.mktemp("attacks") / "data", kind.study)


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
def model(kind):
    return kind.model()


@pytest.fixture(scope="session")
def allowed(model, encoding):
    return space(model, encoding)
