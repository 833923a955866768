"""Corpora as stage corpus makes them, small."""

from pathlib import Path

import pytest

from mono_s2s.corpus import building
from mono_s2s.scale import load_scale
from mono_s2s.sources import Corpus

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def toy() -> Corpus:
    """The toy scale's section."""
    return load_scale("toy", ROOT).t5_experiments.corpus


@pytest.fixture(scope="session")
def built(toy, tmp_path_factory):
    """The toy corpus: its data folder and its statistics."""
    data = tmp_path_factory.mktemp("toy") / "data"
    return data, building.build(toy, "t5_experiments", "toy", data, Path("data/toy"))


@pytest.fixture
def changed(toy):
    """The toy section with other keys; dotted names."""

    def change(**keys) -> Corpus:
        content = toy.model_dump()
        for key, value in keys.items():
            node = content
            *steps, last = key.split("__")
            for step in steps:
                node = node[step]
            node[last] = value
        return Corpus.model_validate(content)

    return change
