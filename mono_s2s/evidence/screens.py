"""What commands of `mono` print: tables for a terminal, findings line by line.

What only one command needs is imported by it: `mono tables` does not wait for statistics.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from mono_s2s.files import BadInput, read_json, to_json


def rendered_tables(numbers: list[int]) -> list[dict[str, Any]]:
    """The rendered tables, by number; all of them for an empty list."""
    paths = {int(path.stem.split("_")[1]): path for path in Path("paper_evidence").glob("table_*.json")}
    if not paths:
        raise BadInput("paper_evidence: no table_*.json here: run `dvc repro`, or go to the top folder of the checkout")
    for number in numbers:
        if number not in paths:
            raise BadInput(f"table {number}: there are {', '.join(map(str, sorted(paths)))}")
    return [read_json(paths[number]) for number in numbers or sorted(paths)]


def table(found: dict[str, Any], console: Any) -> None:
    """One of the paper's tables as it was rendered."""
    shown = Table(title=Text(found["caption"]), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column(Text(found["row_header"]))
    spans = [column["span"] or "" for column in found["columns"]]
    for place, column in enumerate(found["columns"]):
        # The common title of neighbouring columns stands over the first of them.
        over = "" if place and spans[place - 1] == spans[place] else spans[place]
        title = f"{over}\n{column['title']}" if any(spans) else column["title"]
        shown.add_column(Text(title), justify="right", vertical="bottom")
    block = None
    for row in found["rows"]:
        if row["block"] != block:
            block = row["block"]
            shown.add_section()
            shown.add_row(Text(block or "", style="italic"))
        shown.add_row(Text(row["title"]), *(Text(cell["text"]) for cell in row["cells"]))
    console.print(shown)
    console.print(Text(found["note"], style="dim"))
    console.print()


def sweep(found: dict[str, Any], console: Any) -> None:
    """Variants of the constraint side by side, and what follows."""
    from mono_s2s.evidence import sweep as sweeps

    seeds = ", ".join(map(str, found["seeds"]))
    title = (
        f"{found['study']}, scale {found['scale']}, seeds {seeds}; damage: {found['damage']}; "
        f"perplexity ratio at most {found['perplexity_ratio_ceiling']} at every seed"
    )
    # Lines that are not in the table are left whole: some are commands, to be copied.
    console.print(Text(title, style="italic"), soft_wrap=True)
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in sweeps.COLUMNS:
        shown.add_column(name, justify="left" if name in ("variant", "eligible") else "right")
    for row in found["variants"]:
        shown.add_row(*map(Text, sweeps.cells(row)))
    console.print(shown)
    console.print(Text(sweeps.LEGEND, style="dim"), soft_wrap=True)
    for paragraph in sweeps.words(found):
        console.print(Text(paragraph), soft_wrap=True)


def numbers(found: dict[str, Any], console: Any) -> None:
    """Names of numbers, their texts, and where they stand."""
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("name", "text", "file and pointer"):
        shown.add_column(name, overflow="fold")
    for key, place in found.items():
        shown.add_row(Text(key), Text(place.text), Text(f"{place.source}#{place.pointer}", style="dim"))
    console.print(shown)


def verified(as_json: bool) -> int:
    """What `mono verify` finds, one line a finding; the status that it exits with."""
    from mono_s2s.evidence.verify import checking

    found = checking.verify()
    if as_json:
        print(to_json(found.content()), end="")
        return found.exit_code
    for finding in found.listed():
        print(f"{finding.kind}: {finding.line}", file=sys.stderr)
    looked = ", ".join(f"{number} {what}" for what, number in found.counts.items())
    wrong = ", ".join(f"{number} {kind}" for kind, number in found.by_class().items())
    print(f"not sound: {wrong} ({looked})" if wrong else f"sound: {looked}", file=sys.stderr if wrong else sys.stdout)
    return found.exit_code
