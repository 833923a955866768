"""Put the committed run's headline into README.md, between its two table marks.

The numbers are those of all_seeds_summary.json, printed as in the paper's tables. `make readme` runs it; a test fails
where it would change anything.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mono_s2s import files, paths
from mono_s2s.evidence.formatting import DASH, fixed, spread

STUDY = "t5_experiments"
MODELS = ("standard", "baseline", "monotonic")
START, END = "<!-- table: headline -->\n", "<!-- end of table -->\n"
# Words, metric, decimals, power of ten.
ROWS = (
    ("ROUGE-L ×100, clean test documents", "evaluate.rougeL", 1, 2),
    ("loss, clean test documents", "evaluate.nll_per_token", 3, 0),
    ("loss added by HotFlip", "hotflip.delta_nll_per_token", 3, 0),
    ("… by as many random substitutions", "hotflip.random_delta_nll_per_token", 3, 0),
    ("ROUGE-L ×100 lost to HotFlip", "hotflip.delta_rougeL", 1, 2),
    ("loss added by a universal trigger", "uat.delta_nll_per_token", 3, 0),
    ("… by a random trigger", "uat.random_delta_nll_per_token", 3, 0),
    ("ROUGE-L ×100 lost to a universal trigger", "uat.delta_rougeL", 1, 2),
)


def markdown(summary: Mapping[str, Any]) -> str:
    """The headline table: mean ± standard deviation over seeds."""
    lines = [f"| | {' | '.join(MODELS)} |", "|---" * (len(MODELS) + 1) + "|"]
    for words, name, decimals, shift in ROWS:
        models = summary["metrics"][name]["models"]
        cells = []
        for model in MODELS:
            found = models.get(model)
            if found is None:
                cells.append(DASH)
            elif len(set(found["values"].values())) == 1:
                cells.append(fixed(found["mean"], decimals, shift))
            else:
                cells.append(spread(found["mean"], found["sd"], decimals, shift))
        lines.append(f"| {words} | {' | '.join(cells)} |")
    points = summary["reference_points"]
    lines += [
        "",
        f"{len(summary['seeds'])} seeds, scale {summary['scale']}; mean ± standard deviation over seeds, no ± where "
        "all seeds share the model. Losses are",
        "nats per token; more added loss is more damage. For comparison, ROUGE-L ×100 of the first sentence is "
        f"{fixed(points['lead_1']['rougeL'], 1, 2)}, of another",
        f"document's summary {fixed(points['other_summary']['rougeL'], 1, 2)}. All tables: "
        "`paper_evidence/table_*.tex`, or `mono tables` in the terminal.",
    ]
    return "\n".join(lines) + "\n"


def filled(text: str, summary: Mapping[str, Any]) -> str:
    """`text` with the table between the marks."""
    head, rest = text.split(START)
    _, tail = rest.split(END)
    return f"{head}{START}{markdown(summary)}{END}{tail}"


def main(root: Path = Path()) -> None:
    """Rewrite README.md."""
    summary = files.read_json(root / paths.aggregated(STUDY) / "all_seeds_summary.json")
    readme = root / "README.md"
    files.write_text(readme, filled(readme.read_text(encoding="utf-8"), summary))


if __name__ == "__main__":
    try:
        main()
    except files.BadInput as error:
        sys.exit(f"error: {error}")
