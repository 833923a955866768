"""What a checklist is answered from: the paper's runs, their summary, their tests and their data, by study."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mono_s2s import files, paths
from mono_s2s.evidence import metadata, schemas
from mono_s2s.params import Params


@dataclass(frozen=True)
class Answer:
    """One sentence, and where it is from."""

    text: str
    source: str


def listed(words: Iterable[str]) -> str:
    """Words in a row: a, b and c."""
    words = list(words)
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def plural(number: int, thing: str) -> str:
    """A number of things: 1 seed, 5 seeds."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Study:
    """One study: its runs, and what was made of them."""

    name: str
    runs: Sequence[metadata.Metadata]
    summary: Any
    tests: Any
    # data_statistics.json of the leading seed: all seeds share the corpus.
    data: Any

    @property
    def summary_path(self) -> str:
        """Path of all_seeds_summary.json."""
        return f"{paths.aggregated(self.name)}/all_seeds_summary.json"

    @property
    def tests_path(self) -> str:
        """Path of statistical_tests.json."""
        return f"{paths.aggregated(self.name)}/statistical_tests.json"

    def run_path(self, run: metadata.Metadata) -> str:
        """Path of a run's metadata.json."""
        return f"{paths.results(self.name, run.seed)}/metadata.json"


@dataclass(frozen=True)
class Facts:
    """Everything that was read."""

    root: Path
    studies: Sequence[Study]

    @classmethod
    def load(cls, params: Params, root: Path) -> Self:
        """Read the paper's runs of all studies.

        Raises:
            BadInput: a file is missing, or a run's metadata is against its schema.
        """
        found = []
        for name in params.studies:
            folders = [root / paths.results(name, seed) for seed in params.seeds]
            found.append(
                Study(
                    name,
                    [schemas.read(folder / "metadata.json", metadata.Metadata) for folder in folders],
                    files.read_json(root / paths.aggregated(name) / "all_seeds_summary.json"),
                    files.read_json(root / paths.aggregated(name) / "statistical_tests.json"),
                    files.read_json(folders[0] / "data_statistics.json"),
                )
            )
        return cls(root, found)
