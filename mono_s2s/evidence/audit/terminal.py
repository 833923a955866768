"""A report in the terminal: what is wrong first, one line a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mono_s2s.evidence.audit.judging import ALLOWED, CONTRADICTED, ROUNDING, SUPPORTED, UNSOURCED

STYLES = {CONTRADICTED: "bold red", ROUNDING: "yellow", UNSOURCED: "magenta", SUPPORTED: "green", ALLOWED: "dim"}
_ORDER = (CONTRADICTED, ROUNDING, UNSOURCED)


def place(entry: Mapping[str, Any]) -> str:
    """Where a number comes from, or its nearest candidate stands: file, pointer, transformation."""
    source = entry["source"]
    if source is None:
        return ""
    how = "" if source["transformation"] == "as stored" else f" ({source['transformation']})"
    return f"{source['file']}: {source['pointer'] or '/'}{how}"


def line(entry: Mapping[str, Any]) -> str:
    """One finding: the number, its verdict, what the results say, and where."""
    said = f": {entry['note']}" if entry["note"] else ""
    where = place(entry)
    return f"{entry['file']}:{entry['line']}: {entry['id']}: {entry['text']} {entry['status']}{said}" + (
        f" [{where}]" if where else ""
    )


def explained(table: Mapping[str, Any]) -> Iterator[str]:
    """Which result folders explain a table, of the numbers that more than one of them has."""
    ranked = sorted(table["runs"], key=lambda run: (-run["explains"], run["run"]))
    for run in ranked:
        if run["explains"] == run["of"]:
            yield f"{run['run']} explains all {run['of']} that several folders have"
        else:
            yield f"{run['run']} explains {run['explains']} of {run['of']}"


def show(report: Mapping[str, Any], console: Any, *, everything: bool = False) -> None:
    """Print a report.

    Args:
        report: what `report.audit` returned.
        console: where to.
        everything: list supported and allowed numbers, too.
    """
    from rich.text import Text

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=True)

    for problem in report["problems"]:
        say(f"results: {problem}", "cyan")
    for missing in report["missing_inputs"]:
        say(f"{missing}: is input and does not exist", "cyan")
    order = (*_ORDER, SUPPORTED, ALLOWED) if everything else _ORDER
    for table in report["tables"]:
        say("")
        counted = ", ".join(
            f"{sum(entry['status'] == status for entry in table['numbers'])} {status}"
            for status in (SUPPORTED, *_ORDER, ALLOWED)
            if any(entry["status"] == status for entry in table["numbers"])
        )
        say(
            f"Table {table['number']} ({table['label']}), {table['file']}:{table['line']}: {counted or 'no numbers'}",
            "bold",
        )
        for text in explained(table):
            say(f"  {text}")
        _list(table["numbers"], order, say)
    if report["text"]:
        say("")
        say("Captions, notes and running text", "bold")
        _list(report["text"], order, say)
    _end(report, say)


def _list(entries, order, say) -> None:
    for status in order:
        for entry in entries:
            if entry["status"] == status:
                say(f"  {line(entry)}", STYLES[status])
    for entry in entries:
        if entry["typed_instead_of"]:
            say(f"  {entry['id']}: {entry['text']} typed by hand: \\evidence{{{entry['typed_instead_of']}}} prints it")


def _end(report: Mapping[str, Any], say: Any) -> None:
    for pair in report["different_runs"]:
        first, second = pair["tables"]
        names = [" or ".join(runs) for runs in pair["runs"]]
        say("")
        say(
            f"{first} is explained only by {names[0]}, {second} only by {names[1]}: different runs",
            STYLES[CONTRADICTED],
        )
    for rule in report["unused_rules"]:
        say(f"allowed numbers: the rule {rule!r} allows nothing here: remove it")
    say("")
    say("; ".join(f"{report['counts'][status]} {status}" for status in (SUPPORTED, *_ORDER, ALLOWED)), "bold")
