"""Where everything lies, relative to the top folder. Paths only."""

from pathlib import Path


def corpus(study: str) -> Path:
    """What stage corpus leaves: data/ (splits, tokenizer), data_statistics.json, record.json."""
    return Path("runs") / study / "corpus"


def standard(study: str) -> Path:
    """What stage standard leaves: checkpoint/, results.json, record.json."""
    return Path("runs") / study / "standard"


def seed(study: str, seed: int) -> Path:
    """What the heavy stages of one seed leave: one folder an arm of stage train, one for each other stage."""
    return Path("runs") / study / f"seed_{seed}"


def checkpoints(study: str, seed_number: int) -> dict[str, Path]:
    """The checkpoint folder of each model."""
    return {
        "standard": standard(study) / "checkpoint",
        **{arm: seed(study, seed_number) / arm / "checkpoint" for arm in ("baseline", "monotonic")},
    }


def results(study: str, seed: int) -> Path:
    """The tracked results of one seed."""
    return Path("experiment_results") / study / f"seed_{seed}"


def aggregated(study: str) -> Path:
    """The tracked summary over the paper's seeds."""
    return Path("experiment_results") / study / "aggregated"


def scratch(study: str, seed: int | str, name: str, key: str) -> Path:
    """Git-ignored resume state, keyed by a digest of everything that the stage depends on."""
    return Path("runs") / ".scratch" / study / f"seed_{seed}" / f"{name}-{key[:16]}"
