"""The command `mono`: look at what the pipeline was given and what it made.

Every command is run from the top folder of the checkout. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mono_s2s.files import BadInput, read_json, to_json

app = typer.Typer(
    help="Look at what the pipeline was given and what it made. Run from the top folder of the checkout.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def _checked(path: str) -> str | None:
    """What is wrong with a parameter file, or None."""
    from mono_s2s import params, scale
    from mono_s2s.evidence.metrics import check_families

    try:
        if path == "params.yaml":
            found = params.load_params()
            if not scale.scale_path(found.scale).is_file():
                raise BadInput(f"params.yaml: scale: there is no {scale.scale_path(found.scale)}")
            check_families(found.statistics.families)
        else:
            scale.load_scale(Path(path).stem)
    except BadInput as error:
        return str(error)
    return None


@app.command()
def check(as_json: AsJson = False) -> None:
    """Say of params.yaml and every file in scales/ whether it is well-formed; exit with 1 if one is not.

    Example: mono check
    """
    paths = ["params.yaml", *sorted(path.as_posix() for path in Path("scales").glob("*.yaml"))]
    found = {path: _checked(path) for path in paths}
    if as_json:
        typer.echo(json.dumps([{"file": path, "error": error} for path, error in found.items()], indent=1))
    else:
        for path, error in found.items():
            typer.echo(f"error: {error}" if error else f"{path}: well-formed", err=bool(error))
    if any(found.values()):
        raise typer.Exit(1)


def _read_tables(numbers: list[int]) -> list[dict[str, Any]]:
    """The rendered tables, by number; all of them for an empty list."""
    paths = {int(path.stem.split("_")[1]): path for path in Path("paper_evidence").glob("table_*.json")}
    if not paths:
        raise BadInput("paper_evidence: no table_*.json here: run `dvc repro`, or go to the top folder of the checkout")
    for number in numbers:
        if number not in paths:
            raise BadInput(f"table {number}: there are {', '.join(map(str, sorted(paths)))}")
    return [read_json(paths[number]) for number in numbers or sorted(paths)]


def _show(table: dict[str, Any], console: Any) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=Text(table["caption"]), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column(Text(table["row_header"]))
    spans = [column["span"] or "" for column in table["columns"]]
    for place, column in enumerate(table["columns"]):
        # The common title of neighbouring columns stands over the first of them.
        over = "" if place and spans[place - 1] == spans[place] else spans[place]
        title = f"{over}\n{column['title']}" if any(spans) else column["title"]
        shown.add_column(Text(title), justify="right", vertical="bottom")
    block = None
    for row in table["rows"]:
        if row["block"] != block:
            block = row["block"]
            shown.add_section()
            shown.add_row(Text(block or "", style="italic"))
        shown.add_row(Text(row["title"]), *(Text(cell["text"]) for cell in row["cells"]))
    console.print(shown)
    console.print(Text(table["note"], style="dim"))
    console.print()


@app.command()
def tables(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of tables; all without any.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the paper's tables as they were rendered, each number as it is printed.

    Example: mono tables 5 6
    """
    try:
        found = _read_tables(numbers or [])
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False))
        return
    from rich.console import Console

    # A pipe has no width: leave lines whole there.
    console = Console() if sys.stdout.isatty() else Console(width=140)
    for table in found:
        _show(table, console)


def _show_sweep(found: dict[str, Any], console: Any) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

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


@app.command()
def sweep(
    study: Annotated[str | None, typer.Option(help="Which study; params.yaml's without it.")] = None,
    scale: Annotated[str | None, typer.Option(help="At which scale; params.yaml's without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare variants of the constraint among DVC's experiments and pick one under params.yaml's perplexity ceiling.

    Exits with 1 where none is picked. Example: mono sweep --study foundation_llm_experiments
    """
    from mono_s2s.evidence import sweep as sweeps

    try:
        found = sweeps.compare(study, scale)
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(to_json(found), nl=False)
    else:
        from rich.console import Console

        _show_sweep(found, Console() if sys.stdout.isatty() else Console(width=140))
    if not found["winner"]:
        raise typer.Exit(1)


@app.command()
def audit(
    paper: Annotated[Path, typer.Argument(help="The paper's main LaTeX file.")],
    results: Annotated[list[Path], typer.Option("--results", help="A folder with results; more may follow.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FOLDERS]...", help="Further folders.")] = None,
    allow: Annotated[Path | None, typer.Option(help="Rules for numbers that need no source, one a line.")] = None,
    numbers: Annotated[Path | None, typer.Option(help="The paper's macros; else numbers.tex beside the paper.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the paper's tables, annotated, to this page.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List supported numbers, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say of each number in a LaTeX paper whether folders of results say the same.

    Exit status: 0 all supported; 1 paper or results cannot be read; 3 a number is contradicted; 4 one is rounded
    wrongly; 5 two tables come from different runs; 6 a number is without a source. The first of these counts.

    Example: mono audit paper.tex --results experiment_results --html audit.html
    """
    from mono_s2s import files
    from mono_s2s.evidence.audit import report as auditing

    try:
        report, grids = auditing.audit(paper, [*results, *(more or [])], allow, numbers)
        if html is not None:
            from mono_s2s.evidence.audit import page

            files.write_text(html, page.render(report, grids))
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(files.to_json(report), nl=False)
    else:
        from rich.console import Console

        from mono_s2s.evidence.audit import terminal

        terminal.show(report, Console(highlight=False), everything=everything)
    raise typer.Exit(auditing.exit_code(report))


@app.command()
def duplicates(
    folders: Annotated[list[Path], typer.Argument(help="Folders with runs, ours or others'.")],
    as_json: AsJson = False,
) -> None:
    """Find runs that are one run under several names; exit with 1 if there are any.

    Example: mono duplicates experiment_results
    """
    from mono_s2s import files
    from mono_s2s.evidence import duplicates as comparing

    try:
        report = comparing.find(folders)
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(files.to_json(report), nl=False)
    else:
        for line in comparing.lines(report):
            typer.echo(line)
    raise typer.Exit(comparing.exit_code(report))


def _verified(as_json: bool) -> int:
    from mono_s2s.evidence.verify import checking

    found = checking.verify()
    if as_json:
        typer.echo(to_json(found.content()), nl=False)
        return found.exit_code
    for finding in found.listed():
        typer.echo(f"{finding.kind}: {finding.line}", err=True)
    looked = ", ".join(f"{number} {what}" for what, number in found.counts.items())
    wrong = ", ".join(f"{number} {kind}" for kind, number in found.by_class().items())
    typer.echo(f"not sound: {wrong} ({looked})" if wrong else f"sound: {looked}", err=bool(wrong))
    return found.exit_code


@app.command()
def verify(
    reproduced: Annotated[
        str | None,
        typer.Option(metavar="REV", help="Compare the results here with those committed at REV instead."),
    ] = None,
    tolerance: Annotated[float, typer.Option(help="With --reproduced: how far numbers may be off, relative.")] = 0.0,
    absolute: Annotated[float, typer.Option(help="With --reproduced: or how far, absolute.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Judge the evidence that lies here: from each example's score to each printed digit, against what DVC recorded.

    One line a finding. Exit codes: 0 sound; 10 identity, 11 schema, 12 numbers, 13 rendering, 14 records, 15 hashes
    (of several, the smallest); 16 not reproduced; 1 nothing could be compared. Example: mono verify
    """
    if reproduced is None:
        raise typer.Exit(_verified(as_json))
    from mono_s2s.evidence.verify import reproduced as reproducing

    try:
        result = reproducing.compare(reproduced, reproducing.Tolerance(tolerance, absolute))
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(to_json(result.content()), nl=False)
    else:
        typer.echo("\n".join(result.lines()))
    raise typer.Exit(result.exit_code)


if __name__ == "__main__":
    app()
