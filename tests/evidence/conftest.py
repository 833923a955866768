"""Made-up studies (tests/studies.py) to do things to."""

import shutil

import pytest
import studies

from mono_s2s import params
from mono_s2s.evidence import aggregation, index, provenance, specs, tables


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Five runs filed, locked, aggregated, rendered and traced. Never to be changed: copy it."""
    root = studies.finished(tmp_path_factory.mktemp("evidence") / "study")
    selected = params.load_params(root)
    aggregation.aggregate(studies.STUDY, selected, root)
    tables.write_all(specs.load(root), selected.seeds, root)
    studies.paper_lock(root)
    provenance.write(selected, [spec.id for spec in specs.load(root)], root)
    index.write(selected, root)
    return root


@pytest.fixture
def study(template, tmp_path, monkeypatch):
    """A copy of it, which is also the current folder."""
    root = tmp_path / "study"
    shutil.copytree(template, root, symlinks=True)
    monkeypatch.chdir(root)
    return root
