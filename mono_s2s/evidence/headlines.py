"""The committed runs' headlines as they stand in README.md, each study's between its two table marks.

The numbers are those of all_seeds_summary.json, printed as in the paper's tables. `make readme` puts them there;
`mono verify` and a test fail where it would change anything.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mono_s2s import files, paths
from mono_s2s.evidence import notes
from mono_s2s.evidence.formatting import DASH, fixed, grouped, spread
from mono_s2s.files import BadInput
from mono_s2s.scale import MODELS

END = "<!-- end of table -->\n"
# The scale of the committed runs, which README.md shows whatever scale a workspace is at.
SCALE = "demo"
# What stands between the marks until a run of the study is committed.
NO_RUN = "No run of this study is committed yet.\n"


@dataclass(frozen=True)
class Headline:
    """One study's table."""

    # The mark before it.
    start: str
    # Words, metric, decimals, power of ten.
    rows: tuple[tuple[str, str, int, int], ...]


_ATTACKS = (
    ("loss added by HotFlip", "hotflip.delta_nll_per_token", 3, 0),
    ("… by as many random substitutions", "hotflip.random_delta_nll_per_token", 3, 0),
    ("loss added by a universal trigger", "uat.delta_nll_per_token", 3, 0),
    ("… by a random trigger", "uat.random_delta_nll_per_token", 3, 0),
)
STUDIES = {
    "t5_experiments": Headline(
        start="<!-- table: headline -->\n",
        rows=(
            ("ROUGE-L ×100, clean test documents", "evaluate.rougeL", 1, 2),
            ("loss, clean test documents", "evaluate.nll_per_token", 3, 0),
            *_ATTACKS[:2],
            ("ROUGE-L ×100 lost to HotFlip", "hotflip.delta_rougeL", 1, 2),
            *_ATTACKS[2:],
            ("ROUGE-L ×100 lost to a universal trigger", "uat.delta_rougeL", 1, 2),
        ),
    ),
    "foundation_llm_experiments": Headline(
        start="<!-- table: foundation -->\n",
        rows=(
            ("perplexity, held-out text", "evaluate.perplexity", 2, 0),
            ("loss, held-out text", "evaluate.nll_per_token", 3, 0),
            *_ATTACKS,
        ),
    ),
}


def _below(summary: Mapping[str, Any]) -> list[str]:
    """What a reader must know of the numbers."""
    points = summary["reference_points"]
    said = (
        f"{len(summary['seeds'])} seeds, scale {summary['scale']}; mean ± standard deviation over seeds, no ± where "
        "all seeds share the model. Losses are"
    )
    if "unigram" in points:
        constraint, model = summary["constraint"], summary["model"]
        return textwrap.wrap(
            f"{said} nats per token; more added loss is more damage. For comparison, the tokens' frequencies in the "
            f"training text alone give a perplexity of {fixed(points['unigram']['perplexity'], 1)}. "
            f"{grouped(constraint['parameters'])} of {grouped(model['parameters'])} parameters are constrained. "
            f"{notes.activation(constraint)}",
            width=120,
            break_on_hyphens=False,
        )
    return [
        said,
        "nats per token; more added loss is more damage. For comparison, ROUGE-L ×100 of the first sentence is "
        f"{fixed(points['lead_1']['rougeL'], 1, 2)}, of another",
        f"document's summary {fixed(points['other_summary']['rougeL'], 1, 2)}. All tables: "
        "`paper_evidence/table_*.tex`, or `mono tables` in the terminal.",
    ]


def markdown(summary: Mapping[str, Any]) -> str:
    """A study's headline table: mean ± standard deviation over seeds."""
    lines = [f"| | {' | '.join(MODELS)} |", "|---" * (len(MODELS) + 1) + "|"]
    for words, name, decimals, shift in STUDIES[summary["study"]].rows:
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
    return "\n".join([*lines, "", *_below(summary)]) + "\n"


def summaries(root: Path = Path()) -> dict[str, Any]:
    """Each study's summary; None for one of which no run is there."""
    where = {study: root / paths.aggregated(study) / "all_seeds_summary.json" for study in STUDIES}
    return {study: files.read_json(path) if path.is_file() else None for study, path in where.items()}


def filled(text: str, found: Mapping[str, Any]) -> str:
    """`text` with each study's table between its marks; `found` as `summaries` gives it.

    Raises:
        BadInput: a mark is not there, or twice.
    """
    for study, headline in STUDIES.items():
        head, *rest = text.split(headline.start)
        if len(rest) != 1 or END not in rest[0]:
            raise BadInput(
                f"README.md: no table of {study} between {headline.start.strip()} and {END.strip()}: put the marks back"
            )
        _, tail = rest[0].split(END, 1)
        table = NO_RUN if found[study] is None else markdown(found[study])
        text = f"{head}{headline.start}{table}{END}{tail}"
    return text
