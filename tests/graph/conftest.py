"""A clone of this checkout in which the whole graph has run at toy scale, built once and copied for each test."""

from pathlib import Path

import pytest
from clones import Clone, copied, working_tree


@pytest.fixture(scope="session")
def template(tmp_path_factory, request) -> Path:
    """The clone after `dvc repro`, everything committed. Never to be changed: copy it."""
    if given := request.config.getoption("--template"):
        return Path(given)
    clone = working_tree(tmp_path_factory.mktemp("graph") / "template")
    first_run = clone.run("dvc repro")
    clone.run("git add -A && git commit -qm 'train: all seeds at toy scale'")
    (clone.path.parent / "first_run.txt").write_text(first_run)
    return clone.path


@pytest.fixture
def clone(template, tmp_path) -> Clone:
    """A copy of the finished clone to do things to."""
    return copied(template, tmp_path / "clone")
