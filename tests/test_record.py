"""A process writes down what it really used."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mono_s2s import files, record

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def checkout(tmp_path):
    """A small checkout with its own mono_s2s, so that a child process imports from there."""
    for name in ("__init__", "files", "record", "progress"):
        files.write_text(tmp_path / f"mono_s2s/{name}.py", (ROOT / f"mono_s2s/{name}.py").read_text())
    files.write_text(tmp_path / "stages/__init__.py", "")
    files.write_text(tmp_path / "in.txt", "data")
    return tmp_path


def stage(checkout: Path, body: str) -> subprocess.CompletedProcess:
    code = (
        "import sys\nfrom pathlib import Path\nfrom mono_s2s import files, record\n"
        "with record.recording('try', path=Path('record.json'), params={'p.yaml': {'a': 1}}, inputs=[Path('in.txt')],\n"
        "                      outputs=[Path('out.txt')], identity={'seed': 3}):\n"
        f"    {body}\n"
    )
    files.write_text(checkout / "stages/trial.py", code)
    return subprocess.run(
        [sys.executable, "-m", "stages.trial", "--seed", "3"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"},
    )


def test_it_names_code_inputs_outputs_parameters_and_machine(checkout):
    done = stage(checkout, "files.write_text(Path('out.txt'), 'result')")
    assert done.returncode == 0, done.stderr
    found = json.loads((checkout / "record.json").read_text())
    assert set(found["code"]) == {
        "mono_s2s/__init__.py",
        "mono_s2s/files.py",
        "mono_s2s/record.py",
        "stages/__init__.py",
        "stages/trial.py",
    }
    assert all(digest == files.md5(checkout / name) for name, digest in found["code"].items())
    assert found["inputs"] == {"in.txt": files.md5(checkout / "in.txt")}
    assert found["outputs"] == {"out.txt": files.md5(checkout / "out.txt")}
    assert found["params"] == {"p.yaml": {"a": 1}}
    assert found["command"][1:] == ["-m", "stages.trial", "--seed", "3"]
    assert found["hardware"]["cores"] >= 1
    assert found["versions"]["python"].startswith("3.")


def test_a_module_imported_while_it_runs_is_named_too(checkout):
    done = stage(checkout, "from mono_s2s import progress; files.write_text(Path('out.txt'), 'x')")
    assert done.returncode == 0, done.stderr
    assert "mono_s2s/progress.py" in json.loads((checkout / "record.json").read_text())["code"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "files.write_text(Path('out.txt'), 'x'); files.write_text(Path('mono_s2s/files.py'), '# edited')",
            "mono_s2s/files.py: edited while try ran: run the stage again",
        ),
        (
            "files.write_text(Path('out.txt'), 'x'); files.write_text(Path('in.txt'), 'other')",
            "in.txt: changed while try ran: run the stage again",
        ),
    ],
)
def test_an_edit_while_it_runs_is_refused(checkout, body, message):
    done = stage(checkout, body)
    assert done.returncode != 0
    assert message in done.stderr
    assert not (checkout / "record.json").exists()


def test_a_missing_input_stops_before_the_work(checkout):
    (checkout / "in.txt").unlink()
    done = stage(checkout, "files.write_text(Path('out.txt'), 'x')")
    assert "in.txt: missing, try needs it: run `dvc repro`" in done.stderr
    assert not (checkout / "out.txt").exists()


def test_code_from_elsewhere_is_refused(tmp_path):
    with pytest.raises(files.BadInput, match=r"was imported from .* run from the top folder"):
        record.loaded_code(tmp_path)


def test_git_facts_outside_git(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert record.git_facts() == {"commit": None, "branch": None, "tag": None, "dirty": None}


def test_git_facts_say_dirty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (
        "init -q -b main",
        "config user.name tester",
        "config user.email tester@example.org",
    ):
        subprocess.run(["git", *command.split()], check=True)
    (tmp_path / "a").write_text("a")
    subprocess.run(["git", "add", "a"], check=True)
    subprocess.run(["git", "commit", "-q", "-m", "start"], check=True)
    subprocess.run(["git", "tag", "v1"], check=True)
    clean = record.git_facts()
    assert (clean["branch"], clean["tag"], clean["dirty"]) == ("main", "v1", False)
    (tmp_path / "a").write_text("b")
    assert record.git_facts()["dirty"] is True


def test_slurm_jobs_are_named_and_nothing_else_of_the_environment(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert record.hardware()["slurm"] == {"SLURM_JOB_ID": "17"}
    assert "secret" not in json.dumps(record.hardware())
