"""The command `mono`: look at what the pipeline was given and what it made.

Every command is run from the top folder of the checkout. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mono_s2s.files import BadInput, to_json, write_text

app = typer.Typer(
    help="Look at what the pipeline was given and what it made. Run from the top folder of the checkout.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@contextmanager
def _refusals(status: int = 1) -> Iterator[None]:
    """Bad input in the block ends the command with one line and this exit status."""
    try:
        yield
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(status) from error


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


@app.command()
def tables(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of tables; all without any.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the paper's tables as they were rendered, each number as it is printed.

    Example: mono tables 5 6
    """
    from mono_s2s.evidence import screens

    with _refusals():
        found = screens.rendered_tables(numbers or [])
    if as_json:
        typer.echo(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False))
        return
    from rich.console import Console

    # A pipe has no width: leave lines whole there.
    console = Console() if sys.stdout.isatty() else Console(width=140)
    for table in found:
        screens.table(table, console)


@app.command()
def checklist(
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
) -> None:
    """Answer the NeurIPS paper checklist as far as the evidence goes, in Markdown; the rest is listed as open.

    Example: mono checklist --output build/checklist.md
    """
    from mono_s2s.evidence import checklist as answers

    with _refusals():
        text = answers.render(answers.questions())
        if output:
            write_text(output, text)
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

    with _refusals():
        made = crates.write(out, allow_dirty=allow_dirty)
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

    with _refusals():
        citation.write_zenodo(out)
    typer.echo(f"{out}: made from {citation.FILE}")


@app.command()
def sweep(
    study: Annotated[str | None, typer.Option(help="Which study; params.yaml's without it.")] = None,
    scale: Annotated[str | None, typer.Option(help="At which scale; params.yaml's without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare variants of the constraint among DVC's experiments and pick one under params.yaml's perplexity ceiling.

    Exits with 1 where none is picked. Example: mono sweep --study foundation_llm_experiments
    """
    from mono_s2s.evidence import screens
    from mono_s2s.evidence import sweep as sweeps

    with _refusals():
        found = sweeps.compare(study, scale)
    if as_json:
        typer.echo(to_json(found), nl=False)
    else:
        from rich.console import Console

        screens.sweep(found, Console() if sys.stdout.isatty() else Console(width=140))
    if not found["winner"]:
        raise typer.Exit(1)


@app.command()
def numbers(
    names: Annotated[list[str] | None, typer.Argument(help="Names, or their beginnings; all without any.")] = None,
    tex: Annotated[list[Path] | None, typer.Option(help="Check the names that this LaTeX file uses.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the numbers that a paper can print by name, or check the names that it uses; exit with 1 on an unknown one.

    Example: mono numbers t5.hotflip.difference
    """
    from mono_s2s.evidence import formatting, screens, uses
    from mono_s2s.evidence import numbers as named

    with _refusals():
        known = named.keys()
        bare = {key: formatting.bare(place.text) for key, place in known.items()}
        wrong = [fault for path in tex or [] for fault in uses.faults(path, bare)]
        chosen = {}
        for name in names or ([] if tex else [""]):
            matching = {key: place for key, place in known.items() if key == name or key.startswith(name)}
            if not matching:
                raise BadInput(f"no number is called {name}{uses.nearest(name, known)}")
            chosen |= matching
    if as_json:
        listed = {key: dataclasses.asdict(place) for key, place in chosen.items()}
        typer.echo(to_json({"numbers": listed, "faults": wrong}), nl=False)
    elif chosen:
        from rich.console import Console

        screens.numbers(chosen, Console() if sys.stdout.isatty() else Console(width=240))
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

    with _refusals():
        report, grids = auditing.audit(paper, [*results, *(more or [])], allow, numbers)
        if html is not None:
            from mono_s2s.evidence.audit import page

            files.write_text(html, page.render(report, grids))
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

    with _refusals(2):
        report = comparing.find(folders)
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
    from mono_s2s.evidence import screens

    if reproduced is None:
        raise typer.Exit(screens.verified(as_json))
    from mono_s2s.evidence.verify import reproduced as reproducing

    with _refusals():
        result = reproducing.compare(reproduced, reproducing.Tolerance(tolerance, absolute))
    if as_json:
        typer.echo(to_json(result.content()), nl=False)
    else:
        typer.echo("\n".join(result.lines()))
    raise typer.Exit(result.exit_code)


if __name__ == "__main__":
    app()
