"""An audit from paper and results to the report: one plain dictionary, the same bytes for the same input."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from mono_s2s.evidence.audit import allow, claims, judging, latex, macros, matching, results, tables
from mono_s2s.evidence.audit.judging import ALLOWED, CONTRADICTED, ROUNDING, SUPPORTED, UNSOURCED, Verdict
from mono_s2s.evidence.audit.matching import Item
from mono_s2s.evidence.audit.plain import shown
from mono_s2s.evidence.audit.search import Index
from mono_s2s.evidence.audit.tables import Grid
from mono_s2s.files import BadInput

# Exit codes: the worst that was found.
EXIT = {CONTRADICTED: 3, ROUNDING: 4, "different runs": 5, UNSOURCED: 6}


def _plain_number(value: Decimal | None) -> int | float | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() and abs(value) < 2**53 else float(value)


def _entry(claim: claims.Claim, place: int, verdict: Verdict, instead: str | None) -> dict[str, Any]:
    number = claim.query.numbers[place]
    several = len(claim.query.numbers) > 1
    return {
        "id": claim.identity + (f".{number.role}" if several else ""),
        "text": shown(number.text),
        "context": shown(claim.context),
        "file": claim.file,
        "line": claim.line,
        "start": number.start,
        "end": number.end,
        "status": verdict.status,
        "source": None
        if verdict.file is None
        else {
            "file": verdict.file,
            "pointer": verdict.pointer,
            "value": _plain_number(verdict.value),
            "transformation": verdict.change,
        },
        "confidence": verdict.confidence,
        "note": verdict.note,
        "macro": claim.printed[place],
        "typed_instead_of": instead,
    }


def judged(index: Index, found: Sequence[claims.Claim], allowed: allow.Allowed) -> list[tuple[Item, list[Verdict]]]:
    """Items and verdicts of one table, or of the running text."""
    entries: list[tuple[Item, list[Verdict | None]]] = []
    for claim in found:
        reasons = [
            allowed.reason(
                claim.identity, shown(number.text), claim.context, number.start, number.end, not claim.query.strict
            )
            for number in claim.query.numbers
        ]
        entries.append((Item(claim.query), [Verdict(ALLOWED, note=reason) if reason else None for reason in reasons]))
    judged = [item for item, settled in entries if not all(settled)]
    matching.look_up(index, judged)
    judging.judge(index, judged, matching.homes(judged))
    return [
        (item, [own or said for own, said in zip(settled, item.verdicts or settled, strict=True)])
        for item, settled in entries
    ]


def settle(index: Index, text: Sequence[claims.Claim], courts: Mapping[str, Sequence[Item]]) -> None:
    """A caption or a note belongs to its table: the table's run, and those beside it, say what it may print."""
    for claim in text:
        home = matching.home_of(courts[claim.grid.label]) if claim.grid else None
        if home is not None:
            claim.query = replace(claim.query, home=home, study=index.study(home))


def _explained(index: Index, found: Sequence[claims.Claim], items: Sequence[Item]) -> list[dict[str, Any]]:
    """Which runs explain a table: how many of the quantities that several runs have are printed as each has them."""
    contested = [
        (claim, item)
        for claim, item in zip(found, items, strict=True)
        if item.contested or (item.run is None and len(_holding(index, item)) > 1)
    ]
    runs = sorted({run for _, item in contested for run in item.runs})
    return [
        {
            "run": index.runs[run].name,
            "explains": sum(run in item.runs for _, item in contested),
            "of": len(contested),
            "not": [claim.identity for claim, item in contested if run not in item.runs],
        }
        for run in runs
    ]


def _holding(index: Index, item: Item) -> Mapping[int, Any]:
    places = item.ranking.places if item.ranking else []
    return index.values[places[0][1]] if places and any(v.status == CONTRADICTED for v in item.verdicts) else {}


def _different_runs(index: Index, courts: Mapping[str, Sequence[Item]]) -> list[dict[str, Any]]:
    """Pairs of tables that only different runs explain, though either run has the other table's quantities too."""
    explaining = {}
    for label, items in courts.items():
        contested = [item for item in items if item.contested]
        holding = [set(index.values[item.best.place]) for item in contested]
        whole = set.intersection(*(set(item.runs) for item in contested)) if contested else set()
        common = set.intersection(*holding) if holding else set()
        if whole:
            explaining[label] = (whole, common)
    found = []
    labels = list(explaining)
    for place, first in enumerate(labels):
        for second in labels[place + 1 :]:
            (mine, held), (yours, held_too) = explaining[first], explaining[second]
            if not mine & yours and mine & held_too and yours & held:
                names = [sorted(index.runs[run].name for run in runs) for runs in (mine, yours)]
                found.append({"tables": [first, second], "runs": names})
    return found


def _summary(grid: Grid, source: latex.Source) -> dict[str, Any]:
    file, line = source.where(grid.offset)
    return {"label": grid.label, "number": grid.number, "caption": shown(grid.caption), "file": file, "line": line}


def audit(paper: Path, folders: Sequence[Path], allow_file: Path | None = None, numbers_file: Path | None = None):
    """Judge every number of a paper.

    Args:
        paper: the main LaTeX file.
        folders: folders with results.
        allow_file: rules for numbers that need no source (`allow`).
        numbers_file: the paper's macros (`macros`); looked for beside the paper without one.

    Returns:
        The report, and the tables that it speaks of, for drawing them.

    Raises:
        BadInput: paper, results, rules or macros cannot be read.
    """
    source = latex.read(paper)
    if numbers_file is None:
        beside = [Path(file) for file in source.files if Path(file).name == "numbers.tex"]
        numbers_file = beside[0] if beside else None
        if numbers_file is None and (paper.parent / "numbers.tex").is_file():
            numbers_file = paper.parent / "numbers.tex"
    printed = macros.Printed(macros.read(numbers_file))
    allowed = allow.read(allow_file)
    runs = results.discover(folders)
    if not any(run.files for run in runs):
        raise BadInput(f"{', '.join(map(str, folders))}: no file can be read: {runs[0].unreadable[0]}")
    index = Index(runs)
    grids = tables.find(source, printed.expand)
    found = claims.everything(source, grids, printed.expand, index.named)
    if not found:
        raise BadInput(f"{paper}: no number in it: name the paper's main file")
    by_table = {
        grid.label: [claim for claim in found if claim.grid is grid and claim.row is not None] for grid in grids
    }
    text = [claim for claim in found if claim.row is None]
    courts: dict[str, list[Item]] = {}
    sections = []
    for grid in grids:
        entries = _entries(index, by_table[grid.label], allowed, printed, courts, grid.label)
        explained = _explained(index, by_table[grid.label], courts[grid.label])
        sections.append({**_summary(grid, source), "runs": explained, "numbers": entries})
    settle(index, text, courts)
    running = _entries(index, text, allowed, printed, {}, "")
    different = _different_runs(index, courts)
    counts = Counter(entry["status"] for section in sections for entry in section["numbers"])
    counts.update(entry["status"] for entry in running)
    report = {
        "schema_version": 1,
        "paper": paper.as_posix(),
        "files": source.files,
        "missing_inputs": source.missing,
        "runs": [
            {
                "run": run.name,
                "files": len(run.files),
                "numbers": sum(map(len, run.files.values())),
                "not_read": run.other,
            }
            for run in runs
        ],
        "problems": _problems(runs, printed),
        "counts": {status: counts.get(status, 0) for status in (SUPPORTED, ROUNDING, CONTRADICTED, UNSOURCED, ALLOWED)},
        "tables": sections,
        "text": running,
        "different_runs": different,
        "unused_rules": allowed.unused(),
    }
    return report, grids


def _problems(runs: Sequence[results.Run], printed: macros.Printed) -> list[str]:
    found = [f"{run.name}/{line}: cannot be read" for run in runs for line in run.unreadable]
    found += [f"{run.name}/{line}: not finite, cannot support anything" for run in runs for line in run.non_finite]
    found += results.differences(runs)
    return found + [f"\\evidence{{{key}}}: no such key among the paper's numbers" for key in sorted(printed.unknown)]


@functools.cache
def _rendered(file: str) -> bool:
    """Whether a file says in its first line that the pipeline wrote it: nothing in it was typed."""
    with Path(file).open(encoding="utf-8", errors="replace") as text:
        return "rendered by stage tables" in text.readline()


def _entries(index, found, allowed, printed, courts, label) -> list[dict[str, Any]]:
    said = judged(index, found, allowed)
    courts[label] = [item for item, _ in said]
    entries = []
    for claim, (_, verdicts) in zip(found, said, strict=True):
        for place, verdict in enumerate(verdicts):
            number = claim.query.numbers[place]
            instead = None
            # In a sentence, words only hint at a place; a macro names it.
            unsure = (UNSOURCED,) if claim.query.strict else (UNSOURCED, CONTRADICTED, ROUNDING)
            if claim.printed[place] and verdict.status in unsure:
                verdict = Verdict(ALLOWED, note="printed by \\evidence: `mono verify` answers for it")
            if not claim.printed[place] and verdict.status != ALLOWED and not _rendered(claim.file):
                whole = claim.context.strip() if claim.query.strict else shown(number.text)
                own = claim.query.own
                instead = printed.instead(whole, own) or printed.instead(number.text, own)
            entries.append(_entry(claim, place, verdict, instead))
    return entries


def exit_code(report: Mapping[str, Any]) -> int:
    """0 where everything is supported; else the code of the worst that was found (`EXIT`)."""
    found = {status for status, count in report["counts"].items() if count}
    if report["different_runs"]:
        found.add("different runs")
    return min((EXIT[status] for status in found if status in EXIT), default=0)
