import numpy as np
import pytest
import standin

from mono_s2s.attacks import report
from mono_s2s.evaluation.outcome import Outcome, Summaries
from mono_s2s.files import BadInput


def outcome(nats, rouge_l, tokens=(2, 8)):
    rouge = np.zeros((2, 4))
    rouge[:, 2] = rouge_l
    return Summaries(np.array(nats), np.array(tokens), ["a", "b"], [1, 1], rouge)


def test_damage_by_hand():
    clean, attacked = outcome([1.0, 4.0], [0.5, 0.8]), outcome([1.5, 4.5], [0.5, 0.625])
    found = report.damage(clean, attacked, standin.SUCCESS)
    # Token-weighted: (6 - 5) nats over 10 tokens, not the mean of .25 and .0625.
    assert found["delta_nll_per_token"] == pytest.approx(0.1)
    assert found["relative_nll"] == pytest.approx(0.2)
    assert found["delta_rougeL"] == pytest.approx(0.0875)
    assert found["success_relative_nll"] == [{"threshold": 0.1, "rate": 1.0}, {"threshold": 0.5, "rate": 0.5}]
    assert found["success_rougeL_drop"] == [{"threshold": 0.05, "rate": 0.5}, {"threshold": 0.1, "rate": 0.5}]


def test_damage_without_texts_by_hand():
    """Absolute: a rise of .5 nats over 2 tokens is .25 a token, one of .5 over 8 tokens .0625."""
    clean, attacked = (Outcome(np.array(nats), np.array([2, 8])) for nats in ([1.0, 4.0], [1.5, 4.5]))
    found = report.damage(clean, attacked, standin.SUCCESS_TEXT)
    assert found == {
        "delta_nll_per_token": pytest.approx(0.1),
        "relative_nll": pytest.approx(0.2),
        "success_relative_nll": [{"threshold": 0.1, "rate": 1.0}, {"threshold": 0.5, "rate": 0.5}],
        "success_absolute_nll": [{"threshold": 0.05, "rate": 1.0}, {"threshold": 0.25, "rate": 0.5}],
    }


def test_no_damage_is_zero_and_no_success():
    clean = outcome([0.0, 4.0], [0.5, 0.8])
    found = report.damage(clean, clean, standin.SUCCESS)
    assert found["delta_nll_per_token"] == found["relative_nll"] == found["delta_rougeL"] == 0
    assert {rate["rate"] for rates in ("success_relative_nll", "success_rougeL_drop") for rate in found[rates]} == {0.0}


def test_damage_may_be_negative():
    found = report.damage(outcome([1.0, 4.0], [0.5, 0.5]), outcome([0.5, 4.0], [0.6, 0.5]), standin.SUCCESS)
    assert found["delta_nll_per_token"] < 0
    assert found["delta_rougeL"] < 0


def test_a_clean_loss_of_zero_is_an_error():
    with pytest.raises(BadInput, match="clean loss is zero"):
        report.damage(outcome([0.0, 0.0], [1, 1]), outcome([1.0, 1.0], [1, 1]), standin.SUCCESS)


def test_what_is_not_searched_spends_nothing():
    clean = outcome([1.0, 4.0], [0.5, 0.8])
    found = report.attacked({"clean": clean, "attack": clean, "random": clean}, {"attack": (7, 3)}, standin.SUCCESS)
    assert found["effort"] == {"attack": {"forward": 7, "backward": 3}, "random": {"forward": 0, "backward": 0}}
    assert set(found["conditions"]) == {"clean", "attack", "random"}
    assert set(found["damage"]) == {"attack", "random"}
