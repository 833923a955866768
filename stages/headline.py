"""The selected run's headline: a few metrics and the loss curves, at paths that are the same for every run.

Reads experiment_results/<study>/seed_<N>/{final_results.json, training_curves.csv}; writes metrics.json,
curves/train.csv and curves/validation.csv (columns step, baseline, monotonic; nats per token).
"""

import argparse
import sys
from pathlib import Path

from mono_s2s import files

ARMS = ("baseline", "monotonic")
# Column of `dvc exp show`: metric of final_results.json.
COLUMNS = {
    "rougeL": "evaluate.rougeL",
    "nll_per_token": "evaluate.nll_per_token",
    "hotflip_delta_nll": "hotflip.delta_nll_per_token",
    "uat_delta_nll": "uat.delta_nll_per_token",
}


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
    parser.add_argument("--study", required=True, help="which study")
    parser.add_argument("--seed", required=True, type=int, help="which run of it")
    chosen = parser.parse_args()
    folder = Path("experiment_results") / chosen.study / f"seed_{chosen.seed}"
    metrics = files.read_json(folder / "final_results.json")["metrics"]
    rows = files.read_csv(folder / "training_curves.csv")
    headline = {arm: {column: metrics[name][arm] for column, name in COLUMNS.items()} for arm in ARMS}
    files.write_json(Path("metrics.json"), headline)
    for split in ("train", "validation"):
        files.write_csv(Path("curves") / f"{split}.csv", ("step", *ARMS), curve(rows, split))


if __name__ == "__main__":
    try:
        main()
    except files.BadInput as error:
        sys.exit(f"error: {error}")
