"""The command `mono`: look at what the pipeline was given and what it made.

Every command is run from the top folder of the checkout. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mono_s2s.files import BadInput, read_json, to_json, write_text

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
    from mono_s2s.evidence.metrics import check_equivalence, check_families

    try:
        if path == "params.yaml":
            found = params.load_params()
            if not scale.scale_path(found.scale).is_file():
                raise BadInput(f"params.yaml: scale: there is no {scale.scale_path(found.scale)}")
            check_families(found.statistics.families)
            check_equivalence({study: part.metric for study, part in found.statistics.equivalence.items()})
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


@app.command()
def checklist(
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
) -> None:
    """Answer the NeurIPS paper checklist as far as the evidence goes, in Markdown; the rest is listed as open.

    Example: mono checklist --output build/checklist.md
    """
    from mono_s2s.evidence import checklist as answers

    try:
        text = answers.render(answers.questions())
        if output:
            write_text(output, text)
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{output}: {text.count('**Open:**')} answers left to the authors" if output else text, nl=bool(output))


export = typer.Typer(help="Write what others take the evidence as.", no_args_is_help=True)
app.add_typer(export, name="export")


@export.command()
def crate(
    out: Annotated[Path, typer.Argument(help="The zip to write.")],
    allow_dirty: Annotated[bool, typer.Option(help="Take the files as they lie, uncommitted ones too.")] = False,
) -> None:
    """Write an RO-Crate (Provenance Run Crate 0.5): code, parameters, results, evidence, and an action for what ran.

    Example: mono export crate build/crate.zip
    """
    from mono_s2s.evidence import crate as crates

    try:
        made = crates.write(out, allow_dirty=allow_dirty)
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    size = out.stat().st_size / 1e6
    typer.echo(f"{out}: {len(made.payload.files)} files, {made.count('CreateAction')} actions, {size:.1f} MB")


@export.command()
def zenodo(
    out: Annotated[Path, typer.Argument(help="The file to write.")] = Path(".zenodo.json"),
) -> None:
    """Write .zenodo.json, made from CITATION.cff.

    Example: mono export zenodo
    """
    from mono_s2s.evidence import citation

    try:
        citation.write_zenodo(out)
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{out}: made from {citation.FILE}")


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


def _show_numbers(found: dict[str, Any], console: Any) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("name", "text", "file and pointer"):
        shown.add_column(name, overflow="fold")
    for key, place in found.items():
        shown.add_row(Text(key), Text(place.text), Text(f"{place.source}#{place.pointer}", style="dim"))
    console.print(shown)


@app.command()
def numbers(
    names: Annotated[list[str] | None, typer.Argument(help="Names, or their beginnings; all without any.")] = None,
    tex: Annotated[list[Path] | None, typer.Option(help="Check the names that this LaTeX file uses.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the numbers that a paper can print by name, or check the names that it uses; exit with 1 on an unknown one.

    Example: mono numbers t5.hotflip.difference
    """
    from mono_s2s.evidence import formatting, uses
    from mono_s2s.evidence import numbers as named

    try:
        known = named.keys()
        bare = {key: formatting.bare(place.text) for key, place in known.items()}
        wrong = [fault for path in tex or [] for fault in uses.faults(path, bare)]
        chosen = {}
        for name in names or ([] if tex else [""]):
            matching = {key: place for key, place in known.items() if key == name or key.startswith(name)}
            if not matching:
                raise BadInput(f"no number is called {name}{uses.nearest(name, known)}")
            chosen |= matching
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        listed = {key: dataclasses.asdict(place) for key, place in chosen.items()}
        typer.echo(to_json({"numbers": listed, "faults": wrong}), nl=False)
    elif chosen:
        from rich.console import Console

        _show_numbers(chosen, Console() if sys.stdout.isatty() else Console(width=240))
    for fault in [] if as_json else wrong:
        typer.echo(f"error: {fault}", err=True)
    if wrong:
        raise typer.Exit(1)
    if tex and not as_json:
        used = {use.key for path in tex for use in uses.find(path)}
        typer.echo(f"{', '.join(map(str, tex))}: {len(used)} numbers by name, all known")


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


@app.command()
def trace(
    number: Annotated[list[str], typer.Argument(help="A number's name, words of it, or the text on the page.")],
    as_json: AsJson = False,
) -> None:
    """Follow one printed number to its runs: raw value, pointer, file, seeds, stages, code, data, machine.

    Exits with 0 if every link holds, 1 if one does not, 2 if there is no such number, 3 if there are several.
    Example: mono trace table_5.monotonic.success
    """
    from mono_s2s.evidence import answers

    raise typer.Exit(answers.trace(" ".join(number), as_json))


@app.command()
def explain(
    list_numbers: Annotated[bool, typer.Option("--list", help="Name every number, not only how many.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say which numbers of the paper are stale and because of what, before anything runs again.

    Exits with 0 if none is stale, 1 if some are, 2 if it cannot be told. Example: mono explain
    """
    from mono_s2s.evidence import answers

    raise typer.Exit(answers.explain(list_numbers, as_json))


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
