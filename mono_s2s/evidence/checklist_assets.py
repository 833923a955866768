"""Data sets, models and packages: what the evidence says about where they are from and under which licence."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mono_s2s.evidence import citation
from mono_s2s.evidence.checklist_facts import Answer, Facts, Study, listed
from mono_s2s.files import BadInput

# A line of a data card that says something about rights.
RIGHTS = re.compile(r"licen[cs]|public domain|copyright|\bCC[ -]", re.IGNORECASE)
Found = tuple[list[Answer], list[str]]


def _card(study: Study) -> str:
    return f"data/{study.summary['scale']}/README.md"


def _sentences(facts: Facts, card: str) -> Iterator[tuple[int, str]]:
    """The sentences of a data card, each with the line on which it begins.

    Raises:
        BadInput: there is no card.
    """
    try:
        text = (facts.root / card).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadInput(
            f"{card}: missing: every scale has a card that says where its data is from: write one"
        ) from error
    for match in re.finditer(r"(?:[^.;]|[.;](?!\s|$))+[.;]?", text):
        sentence = match[0].strip()
        if sentence and not sentence.startswith("#"):
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            # A heading stands before the first sentence.
            yield text.count("\n", 0, start) + 1, " ".join(sentence.split())


def _hub(node: Any) -> Iterator[Mapping[str, Any]]:
    """Data sets of the hub, wherever a source names them."""
    if isinstance(node, Mapping):
        if "name" in node and "revision" in node:
            yield node
        for part in node.values():
            yield from _hub(part)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from _hub(part)


def _source(study: Study) -> tuple[Mapping[str, Any], str]:
    run = study.runs[0]
    return run.hyperparameters["corpus"]["source"], f"{study.run_path(run)}#/hyperparameters/corpus/source"


def _named(study: Study) -> list[str]:
    """Data sets of the hub with their revisions, each once."""
    source, _ = _source(study)
    return sorted({f"{one['name']} at revision {one['revision'] or 'not pinned'}" for one in _hub(source)})


def access(study: Study, facts: Facts) -> list[Answer]:
    """Where a study's data can be had."""
    source, where = _source(study)
    if source["kind"] == "generated":
        return [Answer(f"{study.name}: the corpus is made by the code itself, from one seed", f"{where}/data_seed")]
    card = _card(study)
    if named := _named(study):
        return [Answer(f"{study.name}: from the Hugging Face hub: {', '.join(named)}", where)]
    (line, sentence), *_ = list(_sentences(facts, card)) or [(1, "the card says nothing")]
    return [Answer(f"{study.name}: local files: {sentence}", f"{card}:{line}")]


def data(study: Study, facts: Facts) -> Found:
    """Licences of a study's data sets, and what the card leaves open."""
    source, where = _source(study)
    if source["kind"] == "generated":
        own = citation.load(facts.root).license
        return [
            Answer(
                f"{study.name}: no data of others: the corpus is generated, under {own} like the code", f"{where}/kind"
            )
        ], []
    card = _card(study)
    if named := _named(study):
        # One sentence of a card cannot speak for several data sets.
        return [Answer(f"{study.name}: data sets of the hub: {listed(named)}", where)], [
            f"{study.name}: licence of {name}: look it up and cite it." for name in named
        ]
    said = [
        Answer(f"{study.name}: {sentence}", f"{card}:{line}")
        for line, sentence in _sentences(facts, card)
        if RIGHTS.search(sentence)
    ]
    return said, [] if said else [f"{study.name}: licence of the files of `{card}`, which says nothing of it."]


def models(study: Study) -> Found:
    """Licences of pretrained models."""
    run = study.runs[0]
    standard, where = run.hyperparameters["standard"], f"{study.run_path(run)}#/hyperparameters/standard"
    if standard["kind"] == "scratch":
        return [
            Answer(f"{study.name}: no model of others: the standard model is trained from scratch", f"{where}/kind")
        ], []
    name = f"{standard['name']} at revision {standard['revision']}"
    return [Answer(f"{study.name}: pretrained model {name}", where)], [
        f"{study.name}: licence of {standard['name']}: look it up and cite it."
    ]


def _licence(name: str) -> tuple[str, str] | None:
    """Licence and version of an installed package, in its own metadata's words."""
    try:
        found = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    classified = [
        line.rpartition(" :: ")[2] for line in found.get_all("Classifier") or () if line.startswith("License")
    ]
    # The field License may hold a whole licence's text.
    free = found.get("License") or ""
    said = found.get("License-Expression") or ", ".join(classified) or (free if len(free) <= 60 else "")
    return (said, found["Version"]) if said else None


def software(facts: Facts) -> Found:
    """Licences of the packages whose versions the runs recorded."""
    versions: dict[str, set[str]] = {}
    for study in facts.studies:
        for run in study.runs:
            for record in run.stages.values():
                for name, version in record.versions.items():
                    versions.setdefault(name, set()).add(version)
    where = f"{facts.studies[0].run_path(facts.studies[0].runs[0])}#/stages/*/versions"
    answers, missing = [], []
    for name, of in sorted(versions.items()):
        used = f"{name} {', '.join(sorted(of))}"
        if name == "python":
            answers.append(Answer(f"software: {used}: PSF-2.0", f"{where}; https://docs.python.org/3/license.html"))
        elif found := _licence(name):
            said, installed = found
            source = f"{where}; metadata of the installed {name} {installed}"
            answers.append(Answer(f"software: {used}: {said}", source))
        else:
            missing.append(f"Licence of {used}: its package is not installed here, or does not say.")
    return answers, missing


def own(facts: Facts) -> list[Answer]:
    """Licence of what this repository adds."""
    cited = citation.load(facts.root)
    return [
        Answer(f"code, results and generated texts: {cited.license}", f"{citation.FILE}#/license"),
        Answer(f"to be cited as {cited.title} {cited.version}", citation.FILE),
    ]
