"""All that the paper's stages derive made again from the runs, in a folder of its own, and compared byte by byte.

The stages' own functions do it: what they would write is what must stand there.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from mono_s2s import paths
from mono_s2s.evidence import aggregation, headlines, index, provenance, specs, tables
from mono_s2s.evidence.verify import leaves
from mono_s2s.evidence.verify.findings import Findings
from mono_s2s.params import Params

RESULTS = index.FOLDER
# What stages write into paper_evidence/; everything else there is written by people.
RENDERED = re.compile(r"table_.*\.(json|tex)|provenance\.json|PAPER_EVIDENCE_README\.md|numbers\.tex")
LISTS = ("experiment_index.json", "RESULTS_README.md")
AGGREGATED = tuple(name for name, _, _ in index.AGGREGATED)
ENDINGS = (".json", ".tex")
ADDED_UP = (aggregation.SUMMARY, aggregation.TESTS)
# The macros, where this checkout has the room that makes them.
_NUMBERS_ROOM = "mono_s2s.evidence.numbers"
_MACROS = ("numbers.tex",) if importlib.util.find_spec(_NUMBERS_ROOM) else ()
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SEEDS = re.compile(rf"\b(\d+|{'|'.join(_NUMBERS)})\s+(?:\w+\s+)?(?:seeds|runs)\b", re.IGNORECASE)


def _linked(root: Path, target: Path, params: Params) -> None:
    """`root` as links in `target`, without what is derived."""
    root = root.resolve()
    for path in root.iterdir():
        if path.name not in (RESULTS.name, tables.FOLDER.name):
            (target / path.name).symlink_to(path)
    for study in params.studies:
        (target / paths.aggregated(study)).mkdir(parents=True)
        for path in (root / RESULTS / study).glob("seed_*"):
            (target / RESULTS / study / path.name).symlink_to(path)
    (target / tables.FOLDER).mkdir()
    for path in (root / tables.FOLDER).glob("*"):
        if not RENDERED.fullmatch(path.name):
            (target / tables.FOLDER / path.name).symlink_to(path)


def _in_place_of(root: Path, target: Path, names: Sequence[Path]) -> None:
    """Where something could not be made again, what stands there takes its place, so that the rest can be judged."""
    for name in names:
        if not (target / name).exists() and (root / name).is_file():
            (target / name).write_bytes((root / name).read_bytes())


def _render(declared: Sequence[specs.Spec], params: Params, target: Path) -> None:
    """What stage tables writes."""
    if _MACROS:
        importlib.import_module(_NUMBERS_ROOM).write(params, target)
    else:
        tables.write_all(declared, params.seeds, target)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _made(root: Path, target: Path, params: Params, complete: Collection[str], findings: Findings) -> set[Path]:
    """Everything derived, written into `target`.

    Of a study that is not in `complete` a run is missing or broken, which has been said: what it adds up to cannot be
    had again, nor the lists of all runs.

    Returns:
        What there should be, made or not; without tables where nobody knows which there are.
    """

    def attempt(kind: str, what: str, make: Callable[[], None]) -> bool:
        before = len(found.listed())
        with found.guarded(kind, what):
            make()
        return len(found.listed()) == before

    # Messages name files of `target`, which are those of `root`.
    found = Findings(target)
    for study in params.studies:
        folder = paths.aggregated(study)
        if study in complete:
            attempt("numbers", f"{folder}", lambda study=study: aggregation.aggregate(study, params, target))
        _in_place_of(root, target, [folder / name for name in ADDED_UP])
    whole = set(complete) == set(params.studies)
    if whole:
        attempt("rendering", f"{RESULTS}", lambda: index.write(params, target))
    declared: list[specs.Spec] = []
    attempt("schema", f"{specs.SPECS}", lambda: declared.extend(specs.load(target)))
    if not attempt("rendering", f"{specs.SPECS}", lambda: _render(declared, params, target)):
        # One table that cannot be rendered stops them all: each alone, to see which others do not hold.
        for spec in declared:
            attempt("rendering", spec.id, lambda spec=spec: tables.write_all([spec], params.seeds, target))
        _in_place_of(root, target, [tables.FOLDER / f"{spec.id}.json" for spec in declared])
        for study in params.studies:
            (target / paths.aggregated(study) / "paper_ready_tables.tex").unlink(missing_ok=True)
    names = [spec.id for spec in declared]
    # provenance.json quotes the hashes of what was added up: where that does not hold, there is nothing to quote.
    added_up = [paths.aggregated(study) / name for study in params.studies for name in ADDED_UP]
    if whole and all(_bytes(root / path) == _bytes(target / path) for path in added_up):
        attempt("hashes", f"{tables.FOLDER}/provenance.json", lambda: provenance.write(params, names, target))
    for spec in declared:
        for line in _seeds_named(spec, len(params.seeds)):
            found.add("rendering", line)
    for finding in found.listed():
        findings.add(finding.kind, finding.line)
    rendered = [f"{name}{end}" for name in names for end in ENDINGS]
    return {
        *(RESULTS / name for name in LISTS),
        *(paths.aggregated(study) / name for study in params.studies for name in AGGREGATED),
        *(tables.FOLDER / name for name in (*_MACROS, "provenance.json", "PAPER_EVIDENCE_README.md", *rendered)),
    }


def _seeds_named(spec: specs.Spec, wanted: int) -> Iterator[str]:
    """A spec's own words name no other number of seeds than there are."""
    titles = [part.title for part in (*spec.columns, *(row for block in spec.blocks for row in block.rows))]
    for text in (spec.caption, spec.row_header, *titles, *spec.note):
        for match in _SEEDS.finditer(text):
            word = match[1].lower()
            number = int(word) if word.isdigit() else _NUMBERS.index(word)
            if number not in (wanted, 1):
                where = specs.path_of(int(spec.id.split("_")[1])).as_posix()
                yield f"{where}: says {match[0]!r}, but params.yaml has {wanted} seeds: mend the text"


def _there(root: Path, params: Params) -> Iterator[Path]:
    """Everything of the kind that stages derive which stands in `root`."""
    for folder, names in ((RESULTS, LISTS), *((paths.aggregated(study), None) for study in params.studies)):
        for path in sorted((root / folder).glob("*")):
            if path.is_file() and (names is None or path.name in names):
                yield folder / path.name
    for path in sorted((root / tables.FOLDER).glob("*")):
        if RENDERED.fullmatch(path.name):
            yield tables.FOLDER / path.name


def _compared(root: Path, target: Path, wanted: set[Path], params: Params, findings: Findings) -> None:
    made = {path.relative_to(target) for path in target.rglob("*") if path.is_file() and not path.is_symlink()}
    made = {path for path in made if not any((target / parent).is_symlink() for parent in path.parents)}
    known = set(_there(root, params))
    nameless = not any(path.name.startswith("table_") for path in wanted)
    for path in sorted(made | known):
        name = path.as_posix()
        kind = "numbers" if path.name in ADDED_UP else "rendering"
        if path not in known:
            findings.add("schema", f"{name}: missing: run `dvc repro`")
        elif path not in made:
            # Where it could not be made, that has been said.
            if path not in wanted and not (nameless and path.name.startswith("table_")):
                findings.add("rendering", f"{name}: no stage and no spec makes it: remove it")
        else:
            stands, follows = ((folder / path).read_bytes() for folder in (root, target))
            if stands != follows:
                texts = (content.decode(errors="replace") for content in (stands, follows))
                findings.add(
                    kind, f"{name}: not what the runs give: {leaves.words(path.name, *texts)}: run `dvc repro`"
                )
            findings.count("derived files")


def check(root: Path, params: Params, complete: Collection[str], findings: Findings) -> set[str]:
    """Make everything derived again and compare it with what stands in `root`.

    Args:
        root: the top folder.
        params: params.yaml, typed.
        complete: the studies of which every run could be read.
        findings: takes in what differs.

    Returns:
        The files that there should be.
    """
    with tempfile.TemporaryDirectory(prefix="mono-verify-") as name:
        target = Path(name)
        _linked(root, target, params)
        wanted = _made(root, target, params, complete, findings)
        _compared(root, target, wanted, params, findings)
    return {path.as_posix() for path in wanted}


def readme(root: Path, params: Params, findings: Findings) -> None:
    """README.md shows the committed runs' headlines; of another scale than theirs it says nothing."""
    path = root / "README.md"
    if params.scale != headlines.SCALE or not path.is_file():
        return
    with findings.guarded("rendering", "README.md"):
        text = path.read_text(encoding="utf-8")
        wanted = headlines.filled(text, headlines.summaries(root))
        if text != wanted:
            findings.add(
                "rendering",
                f"README.md: not what the runs give: {leaves.words('README.md', text, wanted)}: `make readme`",
            )
