import attackstage
import pytest
import standin

from stages import uat


@pytest.fixture(scope="module", params=standin.KINDS)
def ran(request, tmp_path_factory):
    return request.param, attackstage.ran("uat", request.param, tmp_path_factory.mktemp("uat"))


def test_rows_recompute_the_results(ran):
    found = attackstage.check_results("uat", *ran, count=(3 * 4 + 6) * 10)
    assert found.attack["trigger_tokens"] == 3
    assert found.n_optimization == 10


def test_the_record_names_inputs_outputs_and_parameters(ran):
    attackstage.check_record("uat", *ran)


@pytest.mark.parametrize(("study", "lost"), [(standin.STUDY, "monotonic"), (standin.TEXT_STUDY, "attack_optimization")])
def test_a_missing_checkpoint_or_an_empty_split_is_an_error(study, lost, tmp_path, monkeypatch):
    attackstage.check_refusal(uat, study, tmp_path, monkeypatch, lost)
