"""A clone of this checkout in which the whole graph has run at toy scale, built once and copied for each test."""

from pathlib import Path

import pytest
from clones import Clone, copied, working_tree
from filelock import FileLock


@pytest.fixture(scope="session")
def template(tmp_path_factory, request, worker_id) -> Path:
    """The clone after `dvc repro`, everything committed. Never to be changed: copy it."""
    if given := request.config.getoption("--template"):
        return Path(given)
    # Workers share one: whoever comes first builds it, the others wait.
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "graph"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "first_run.txt").is_file():
            clone = working_tree(folder / "template")
            first_run = clone.run("dvc repro")
            clone.run("git add -A && git commit -qm 'train: all seeds at toy scale'")
            (folder / "first_run.txt").write_text(first_run)
    return folder / "template"


@pytest.fixture
def clone(template, tmp_path) -> Clone:
    """A copy of the finished clone to do things to."""
    return copied(template, tmp_path / "clone")
