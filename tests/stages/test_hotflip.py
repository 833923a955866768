import attackstage
import pytest
import standin

from stages import hotflip


@pytest.fixture(scope="module", params=standin.KINDS)
def ran(request, tmp_path_factory):
    return request.param, attackstage.ran("hotflip", request.param, tmp_path_factory.mktemp("hotflip"))


def test_rows_recompute_the_results(ran):
    found = attackstage.check_results("hotflip", *ran, count=3 * 4 * 10)
    assert found.attack["flips"] == 3


def test_the_record_names_inputs_outputs_and_parameters(ran):
    attackstage.check_record("hotflip", *ran)


@pytest.mark.parametrize(("study", "lost"), [(standin.STUDY, "monotonic"), (standin.TEXT_STUDY, "attack_evaluation")])
def test_a_missing_checkpoint_or_an_empty_split_is_an_error(study, lost, tmp_path, monkeypatch):
    attackstage.check_refusal(hotflip, study, tmp_path, monkeypatch, lost)
