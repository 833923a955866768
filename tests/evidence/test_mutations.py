"""Whatever is changed in the evidence, `mono verify` says so; and on what nobody touched it says nothing."""

import random

import mutations
import pytest
import yaml

from mono_s2s.evidence.verify import checking


def cases(kinds, words, times):
    """Each kind of damage so often, in other places each time."""
    return [pytest.param(kind, time, id=f"{words}-{kind.__name__}-{time}") for kind in kinds for time in range(times)]


PLAIN, BELIEVED = cases(mutations.PLAIN, "plain", 3), cases(mutations.BELIEVED, "believed", 3)


@pytest.fixture(autouse=True)
def _fast_yaml(monkeypatch):
    """PyYAML's own loader in C reads the same: two hundred times, what it takes matters."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    monkeypatch.setattr(yaml, "safe_load", lambda text: yaml.load(text, Loader=loader))


def found(tree):
    return [(finding.kind, finding.line) for finding in checking.verify(tree.root).listed()]


def test_nothing_is_found_where_nothing_was_changed(tree):
    verified = checking.verify(tree.root)
    assert [finding.line for finding in verified.listed()] == []
    assert verified.exit_code == 0
    assert verified.counts["runs"] == 10


def test_there_are_enough_of_them():
    assert len(PLAIN) + len(BELIEVED) >= 200


def changed(tree, kind, time):
    said = kind(tree, random.Random(f"{kind.__name__} {time}"))
    assert tree.changed(), said
    return said


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "time"), PLAIN)
def test_a_change_is_found(tree, kind, time):
    said = changed(tree, kind, time)
    assert found(tree), said


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "time"), BELIEVED)
def test_a_change_that_dvc_was_told_to_believe_is_found(tree, kind, time):
    """`dvc commit -f` behind it: every hash in every lock agrees with what lies there."""
    said = changed(tree, kind, time)
    tree.believe()
    assert found(tree), said
