"""A report as one HTML page: the paper's tables with each number marked by what the results say of it.

The page needs no network and no script. Colour never stands alone: every mark has its own sign and line style, and a
number's title says the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from mono_s2s.evidence.audit import terminal
from mono_s2s.evidence.audit.judging import ALLOWED, CONTRADICTED, ROUNDING, SUPPORTED, UNSOURCED
from mono_s2s.evidence.audit.plain import shown
from mono_s2s.evidence.audit.tables import Grid

_CLASSES = {SUPPORTED: "s", ROUNDING: "r", CONTRADICTED: "c", UNSOURCED: "u", ALLOWED: "a"}
_SIGNS = {SUPPORTED: "", ROUNDING: "≈", CONTRADICTED: "✗", UNSOURCED: "?", ALLOWED: ""}
# Dark on light, each at least 7:1 against its background; blue, orange, red and violet stay apart for the colour-blind.
_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem; }
.caption { margin: 0 0 .5rem; max-width: 60rem; } .small { font-size: .875rem; color: #444; margin: .25rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; border-top: 2px solid #1a1a1a; border-bottom: 2px solid #1a1a1a; margin: .5rem 0;
  font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; vertical-align: top; font-weight: 400; white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; } .text { white-space: normal; }
thead th { font-weight: 600; text-align: center; } thead tr:last-child th { border-bottom: 1px solid #1a1a1a; }
tr.block td { font-style: italic; padding-top: .5rem; } tr.ruled td { border-top: 1px solid #999; }
mark { color: inherit; background: none; padding: 0 .1em; border-radius: 2px; }
mark.s { background: #e3f0fb; color: #0b3d66; }
mark.r { background: #fff1d6; color: #5c3a00; border-bottom: 2px dotted #8a5a00; }
mark.c { background: #fde3e1; color: #7a0b0b; border-bottom: 3px double #a30f0f; font-weight: 700; }
mark.u { background: #efe7fa; color: #42207a; border-bottom: 2px dashed #6a3fb0; }
mark.a { color: #444; }
sup { font-size: .75em; line-height: 0; } ul { padding-left: 1.2rem; } li { margin: .15rem 0; overflow-wrap: anywhere; }
.key { display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; list-style: none; }
code { font-size: .875rem; }
@media print { body { max-width: none; margin: 0; } }
"""


def _marked(text: str, entries: Sequence[Mapping[str, Any]], notes: list[Mapping[str, Any]]) -> str:
    """A text with its numbers marked; what is wrong gets the number of its note."""
    parts, place = [], 0
    for entry in sorted(entries, key=lambda entry: entry["start"]):
        parts.append(escape(text[place : entry["start"]]))
        status = entry["status"]
        title = escape(
            f"{status}{': ' + entry['note'] if entry['note'] else ''}\n{terminal.place(entry)}".strip(), quote=True
        )
        note = ""
        if status in (ROUNDING, CONTRADICTED, UNSOURCED):
            notes.append(entry)
            note = f"<sup>{_SIGNS[status]}{len(notes)}</sup>"
        printed = escape(text[entry["start"] : entry["end"]])
        parts.append(f'<mark class="{_CLASSES[status]}" title="{title}">{printed}{note}</mark>')
        place = entry["end"]
    return shown("".join([*parts, escape(text[place:])]))


def _notes(notes: Sequence[Mapping[str, Any]], first: int = 1) -> str:
    if not notes:
        return ""
    lines = "".join(
        f'<li value="{number}"><b>{escape(entry["text"])}</b> {escape(entry["status"])}'
        f"{': ' + escape(entry['note']) if entry['note'] else ''}"
        f"{'<br><code>' + escape(terminal.place(entry)) + '</code>' if entry['source'] else ''}</li>"
        for number, entry in enumerate(notes, start=first)
    )
    return f'<ol class="small">{lines}</ol>'


def _table(grid: Grid, section: Mapping[str, Any]) -> str:
    by_cell: dict[str, list[Mapping[str, Any]]] = {}
    for entry in section["numbers"]:
        cell = entry["id"].removeprefix(f"{grid.label}/").partition("#")[0].partition(".")[0]
        by_cell.setdefault(cell, []).append(entry)
    notes: list[Mapping[str, Any]] = []
    head, body = [], []
    for row, line in enumerate(grid.lines):
        cells, column = [], 0
        while column < grid.width:
            cell = line.cells.get(column)
            if cell is None:
                cells.append("<td></td>")
                column += 1
                continue
            tag = "th" if line.header else "td"
            span = f' colspan="{cell.columns}"' if cell.columns > 1 else ""
            entries = by_cell.get(f"r{row + 1}c{column + 1}", [])
            cells.append(f"<{tag}{span}>{_marked(cell.text, entries, notes)}</{tag}>")
            column += cell.columns
        kind = (
            ' class="block"' if line.block is not None else ' class="ruled"' if line.ruled and not line.header else ""
        )
        (head if line.header else body).append(f"<tr{kind}>{''.join(cells)}</tr>")
    label = escape(f"Table {grid.number} ({grid.label})")
    runs = "".join(f'<p class="small">{escape(text)}</p>' for text in terminal.explained(section))
    return (
        f'<h2>{label}</h2><p class="caption">{escape(shown(grid.caption))}</p>'
        f'<div class="scroll"><table><thead>{"".join(head)}</thead><tbody>{"".join(body)}</tbody></table></div>'
        f"{runs}{_notes(notes)}"
    )


def _text(entries: Sequence[Mapping[str, Any]]) -> str:
    if not entries:
        return ""
    sentences: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in entries:
        sentences.setdefault((entry["file"], entry["context"]), []).append(entry)
    notes: list[Mapping[str, Any]] = []
    rows = []
    for (file, context), found in sentences.items():
        where = escape(f"{file}:{found[0]['line']}")
        rows.append(
            f'<tr><td class="text"><code>{where}</code></td><td class="text">{_marked(context, found, notes)}</td></tr>'
        )
    return (
        "<h2>Captions, notes and running text</h2>"
        f'<div class="scroll"><table><tbody>{"".join(rows)}</tbody></table></div>{_notes(notes)}'
    )


def render(report: Mapping[str, Any], grids: Sequence[Grid]) -> str:
    """The page of a report; the same bytes for the same report."""
    counts = report["counts"]
    key = "".join(
        f'<li><mark class="{_CLASSES[status]}">{_SIGNS[status]} {counts[status]} {status}</mark></li>'
        for status in (SUPPORTED, ROUNDING, CONTRADICTED, UNSOURCED, ALLOWED)
    )
    problems = [*report["problems"], *(f"{line}: is input and does not exist" for line in report["missing_inputs"])]
    for pair in report["different_runs"]:
        first, second = pair["tables"]
        names = [" or ".join(runs) for runs in pair["runs"]]
        problems.append(f"{first} is explained only by {names[0]}, {second} only by {names[1]}: different runs")
    listed = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    runs = "".join(
        f"<li><code>{escape(run['run'])}</code>: {run['numbers']} numbers in {run['files']} files</li>"
        for run in report["runs"]
    )
    sections = "".join(_table(grid, section) for grid, section in zip(grids, report["tables"], strict=True))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Audit of {escape(report['paper'])}</title><style>{_STYLE}</style></head><body>"
        f'<h1>Audit of {escape(report["paper"])}</h1><ul class="key">{key}</ul>'
        + (f'<h2>About the results</h2><ul class="small">{listed}</ul>' if problems else "")
        + f'{sections}{_text(report["text"])}<h2>Result folders</h2><ul class="small">{runs}</ul></body></html>\n'
    )
