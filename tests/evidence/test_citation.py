"""CITATION.cff, and .zenodo.json made from it."""

import json
import subprocess
import tomllib
from pathlib import Path

import exporting
import pytest
from studies import ROOT, change
from typer.testing import CliRunner

from mono_s2s.cli import app
from mono_s2s.evidence import citation
from mono_s2s.files import BadInput, to_json

PERSON = """authors:
- given-names: Ada
  family-names: Example
  affiliation: A University
  orcid: https://orcid.org/0000-0002-1825-0097
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / citation.FILE).write_text((ROOT / citation.FILE).read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(old, new):
    text = Path(citation.FILE).read_text()
    assert old in text
    Path(citation.FILE).write_text(text.replace(old, new, 1))


def test_the_committed_deposit_is_made_from_the_citation():
    made = to_json(citation.zenodo(citation.load(ROOT)))
    assert (ROOT / citation.ZENODO).read_text() == made, "run `mono export zenodo`"


def test_it_says_what_the_package_says():
    found, project = citation.load(ROOT), tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = (found.title, found.version, found.license, found.abstract)
    assert said == (project["name"], project["version"], project["license"], project["description"])
    (author,) = found.authors
    assert f"Copyright (c) 2026 {author.called()}\n" in (ROOT / "LICENSE").read_text()


def test_the_command_writes_it(folder):
    done = CliRunner().invoke(app, ["export", "zenodo"])
    assert done.output == ".zenodo.json: made from CITATION.cff\n"
    assert Path(".zenodo.json").read_text() == (ROOT / ".zenodo.json").read_text()
    edit("version: 0.1.0", "version: 0.2.0")
    CliRunner().invoke(app, ["export", "zenodo", "other.json"])
    assert json.loads(Path("other.json").read_text())["version"] == "0.2.0"


def test_a_person(folder):
    edit("authors:\n- name: the mono-s2s authors\n", PERSON)
    assert citation.zenodo(citation.load())["creators"] == [
        {"name": "Example, Ada", "affiliation": "A University", "orcid": "0000-0002-1825-0097"}
    ]


def test_a_date_stays_text(folder):
    with Path(citation.FILE).open("a") as file:
        file.write("date-released: 2026-11-20\n")
    assert citation.zenodo(citation.load())["publication_date"] == "2026-11-20"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cff-version: 1.2.0", "cff-version: 1.1.0", "CITATION.cff: cff-version: Input should be '1.2.0'"),
        ("license: MIT\n", "", "CITATION.cff: license: Field required"),
        ("license: MIT", "licence: MIT", "CITATION.cff: "),
        ("- name: the mono-s2s authors", "- {name: a, nom: b}", "CITATION.cff: authors.0.nom: Extra inputs"),
        ("title: mono-s2s", "title: [", "CITATION.cff: not valid YAML"),
    ],
)
def test_a_bad_citation_is_one_line(folder, old, new, message):
    edit(old, new)
    with pytest.raises(BadInput) as refusal:
        citation.load()
    assert str(refusal.value).startswith(message)
    done = CliRunner().invoke(app, ["export", "zenodo"])
    assert done.exit_code == 1
    assert len(done.output.splitlines()) == 1
    assert not Path(".zenodo.json").exists()


def test_an_edited_deposit_would_be_noticed(folder):
    CliRunner().invoke(app, ["export", "zenodo"])
    change(Path(".zenodo.json"), lambda content: content.update(version="9"))
    assert Path(".zenodo.json").read_text() != to_json(citation.zenodo(citation.load()))


def test_cffconvert_agrees(folder):
    program = exporting.tool("cffconvert")
    run = {"capture_output": True, "text": True, "check": False}
    assert subprocess.run([program, "--validate"], **run).returncode == 0
    theirs = json.loads(subprocess.run([program, "-f", "zenodo"], **run).stdout)
    ours = citation.zenodo(citation.load())
    assert {key: ours[key] for key in theirs} == theirs
    edit("license: MIT", "license: none")
    assert subprocess.run([program, "--validate"], **run).returncode != 0
