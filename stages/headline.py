"""The selected run's headline: a few metrics and the loss curves, at paths that are the same for every run.

Reads experiment_results/<study>/seed_<N>/{final_results.json, training_curves.csv}; writes metrics.json,
curves/train.csv and curves/validation.csv (columns step, baseline, monotonic; nats per token).
"""

import argparse
import sys
from pathlib import Path

from mono_s2s import files
from mono_s2s.evidence import metrics
from mono_s2s.scale import ARMS, STUDIES


def curve(rows: list[dict[str, str]], split: str) -> list[dict[str, str]]:
    """One row a step with both arms' losses; a step that one arm lacks is left empty there."""
    by_step: dict[int, dict[str, str]] = {}
    for row in rows:
        if row["split"] == split:
            by_step.setdefault(int(row["step"]), dict.fromkeys(ARMS, ""))[row["arm"]] = row["nll_per_token"]
    return [{"step": str(step), **losses} for step, losses in sorted(by_step.items())]


def main() -> None:
    """Read the selected run's files and write the headline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, choices=STUDIES, help="which study")
    parser.add_argument("--seed", required=True, type=int, help="which run of it")
    chosen = parser.parse_args()
    folder = Path("experiment_results") / chosen.study / f"seed_{chosen.seed}"
    found = files.read_json(folder / "final_results.json")["metrics"]
    rows = files.read_csv(folder / "training_curves.csv")
    columns = {shown.column: found[shown.metric] for shown in metrics.headlines(chosen.study)}
    headline = {arm: {column: values[arm] for column, values in columns.items()} for arm in ARMS}
    files.write_json(Path("metrics.json"), headline)
    for split in ("train", "validation"):
        files.write_csv(Path("curves") / f"{split}.csv", ("step", *ARMS), curve(rows, split))


if __name__ == "__main__":
    try:
        main()
    except files.BadInput as error:
        sys.exit(f"error: {error}")
