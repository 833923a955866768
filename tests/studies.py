"""Both studies as their stages leave them, made up: five runs each with every file, record and lock entry, without
training any. Functions take the study; without it they mean the first, so that most tests need not say which."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from made_up import (
    STUDIES,
    STUDY,
    attack,
    checkpoint,
    data_statistics,
    evaluation,
    evaluation_text,
    training,
)

from mono_s2s import files, paths, scale
from mono_s2s.evidence import (
    aggregation,
    collection,
    examples,
    filing,
    index,
    metadata,
    numbers,
    provenance,
    specs,
    tasks,
)
from mono_s2s.params import load_params

ROOT = Path(__file__).resolve().parents[1]
# Written by stage collect itself, beside what it copies.
DERIVED = ("final_results.json", "training_curves.csv", "metadata.json", "experiment_log.txt")
SEEDS = [42, 1337, 2024, 8888, 12345]
# What each made-up process is said to have loaded.
CODE = ["mono_s2s/__init__.py", "mono_s2s/files.py", "mono_s2s/scale.py", "stages/__init__.py", "stages/command.py"]
PARAMS = {
    "corpus": ["corpus"],
    "standard": ["compute", "standard"],
    "train": ["compute", "train"],
    "evaluate": ["compute", "evaluate"],
    "uat": ["compute", "evaluate.decoding", "uat"],
    "hotflip": ["compute", "evaluate.decoding", "hotflip"],
}


def put(path, content):
    """Write a made-up file: JSON, or a table with columns and rows."""
    if path.suffix == ".csv":
        files.write_csv(path, *content)
    else:
        files.write_json(path, content)


def record(root, stage, study, seed, arm, inputs, outputs, where):
    """A record as `record.recording` writes it, for a process that never ran."""
    arguments = ["--study", study, "--scale", "demo"]
    who = {"study": study}
    if seed is not None:
        arguments += ["--seed", str(seed)]
        who["seed"] = seed
    if arm:
        arguments += ["--arm", arm]
        who["arm"] = arm
    code = sorted([*CODE, f"stages/{stage}.py"])
    put(
        root / where / "record.json",
        {
            "schema_version": 1,
            "stage": stage,
            "command": ["python3.11", "-m", f"stages.{stage}", *arguments],
            "identity": who,
            "code": {path: files.md5(root / path) for path in code},
            "params": scale.tracked("demo", [f"{study}.{key}" for key in PARAMS[stage]], root),
            "inputs": {path: files.md5(root / path) for path in inputs},
            "outputs": {path: files.md5(root / path) for path in outputs},
            "git": {"commit": "c" * 40, "branch": "main", "tag": None, "dirty": False},
            "hardware": {"node": "n1", "processor": "a processor", "cores": 2, "gpu": None, "slurm": {}},
            "versions": {"python": "3.11.2", "torch": "2.13.0"},
            "started": f"2026-11-20T10:0{len(stage) % 6}:00+00:00",
            "ended": f"2026-11-20T11:0{len(stage) % 6}:00+00:00",
            "seconds": 3600.5,
        },
    )


def leave(root, seed, study=STUDY):
    """Write what the heavy stages of one run leave under runs/."""
    corpus, standard, run = paths.corpus(study), paths.standard(study), paths.seed(study, seed)
    columns = tasks.of(study).columns
    if not (root / corpus).exists():
        check = f"runs/{study}/check.txt"
        files.write_text(root / check, "fine\n")
        files.write_text(root / corpus / "data" / "encoding.json", "{}\n")
        put(root / corpus / "data_statistics.json", data_statistics(study))
        outs = [f"{corpus}/data", f"{corpus}/data_statistics.json"]
        record(root, "corpus", study, None, None, [check, "data/demo", "requirements.lock"], outs, corpus)
        files.write_text(root / standard / "checkpoint" / "model.txt", "standard\n")
        put(root / standard / "results.json", {"checkpoint": checkpoint(None, "standard", study)})
        outs = [f"{standard}/checkpoint", f"{standard}/results.json"]
        record(root, "standard", study, None, None, [f"{corpus}/data", "requirements.lock"], outs, standard)
    for arm in ("baseline", "monotonic"):
        content, curve = training(seed, arm, study)
        where = run / arm
        files.write_text(root / where / "checkpoint" / "model.txt", f"{seed} {arm}\n")
        files.write_text(root / where / "live" / "metrics.json", "{}\n")
        put(root / where / "results.json", content)
        put(root / where / "curves.csv", (examples.CURVES, curve))
        inputs = [f"{corpus}/data", f"{standard}/checkpoint", "requirements.lock"]
        outs = [f"{where}/{name}" for name in ("checkpoint", "results.json", "curves.csv", "live")]
        record(root, "train", study, seed, arm, inputs, outs, where)
    models = [f"{path}" for path in paths.checkpoints(study, seed).values()]
    inputs = [f"{corpus}/data", *models, "requirements.lock"]
    content, rows, points = evaluation(seed) if study == STUDY else evaluation_text(seed)
    put(root / run / "evaluate" / "results.json", content)
    put(root / run / "evaluate" / "examples.csv", (columns["evaluation_examples.csv"], rows))
    put(root / run / "evaluate" / "reference_points.csv", (columns["reference_points.csv"], points))
    outs = [f"{run}/evaluate/{name}" for name in ("results.json", "examples.csv", "reference_points.csv")]
    record(root, "evaluate", study, seed, None, inputs, outs, run / "evaluate")
    for name in ("uat", "hotflip"):
        content, rows = attack(seed, name, study)
        put(root / run / name / "results.json", content)
        put(root / run / name / "examples.csv", (columns[f"{name}_examples.csv"], rows))
        outs = [f"{run}/{name}/results.json", f"{run}/{name}/examples.csv"]
        record(root, name, study, seed, None, inputs, outs, run / name)


def section(root, study=STUDY):
    return scale.read_yaml(root / "scales/demo.yaml")[study]


def collect(root, seed, study=STUDY):
    """What stage collect does, without a process."""
    filing.file_run(study, seed, section(root, study), load_params(root).seeds, root)


def _hashed(root, names):
    return [{"path": str(name), "hash": "md5", "md5": files.md5(root / name)} for name in names]


def to_yaml(content):
    return yaml.dump(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))


def from_yaml(path):
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def lock(root, seeds=SEEDS):
    """stages/dvc.lock as DVC would have written it from the records, and from collect's files."""
    stages = {}
    for study in STUDIES:
        stages[f"check@{study}"] = {
            "cmd": f"python -m stages.check --study {study}",
            "outs": _hashed(root, [f"runs/{study}/check.txt"]),
        }
        for seed in seeds:
            stages |= _locked(root, study, seed)
    files.write_text(root / "stages/dvc.lock", to_yaml({"schema": "2.0", "stages": stages}))


def _locked(root, study, seed):
    """One run's entries."""
    stages = {}
    for name in metadata.RECORDS:
        stage, _, arm = name.partition(".")
        address = f"{stage}@{study}" + ("" if name in metadata.SHARED else f"-{seed}") + (f"-{arm}" if arm else "")
        where = collection.folder(name, study, seed) / "record.json"
        found = files.read_json(root / where)
        stages[address] = {
            "cmd": " ".join(["python", *found["command"][1:]]),
            "deps": _hashed(root, [*found["inputs"], *found["code"]]),
            "params": found["params"],
            "outs": _hashed(root, [*found["outputs"], where]),
        }
    filed = paths.results(study, seed)
    stages[f"collect@{study}-{seed}"] = {
        "cmd": f"python -m stages.collect --study {study} --scale demo --seed {seed}",
        "deps": _hashed(root, [*collection.sources(study, seed).values(), "stages/collect.py"]),
        "params": {"scales/demo.yaml": {study: section(root, study)}},
        "outs": _hashed(root, [filed / name for name in (*collection.COPIED, *DERIVED)]),
    }
    return stages


def paper_lock(root):
    """paper_evidence/dvc.lock as DVC would have written it after stage aggregate."""
    stages = {}
    for study in STUDIES:
        outs = [paths.aggregated(study) / name for name in ("all_seeds_summary.json", "statistical_tests.json")]
        stages[f"aggregate@{study}"] = {
            "cmd": f"python -m stages.aggregate --study {study}",
            "outs": _hashed(root, outs),
        }
    files.write_text(root / "paper_evidence/dvc.lock", to_yaml({"schema": "2.0", "stages": stages}))


def lay_out(root):
    """This checkout's code, parameters, specs and templates in `root`."""
    ignored = shutil.ignore_patterns("__pycache__", "dvc.lock")
    for name in ("mono_s2s", "stages", "scales", "data/demo", "paper_evidence/specs", "paper_evidence/templates"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("params.yaml", "requirements.lock", "paper_evidence/monos2s.sty", "paper_evidence/paper.tex"):
        shutil.copy(ROOT / name, root / name)
    return root


def finished(root):
    """All five runs of both studies filed and locked."""
    lay_out(root)
    for study in STUDIES:
        for seed in SEEDS:
            leave(root, seed, study)
            collect(root, seed, study)
    lock(root)
    return root


def change(path, edit):
    """Edit a JSON file in place, in the one JSON form."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(files.to_json(content))


def append(path, text):
    """Add text to a file."""
    with Path(path).open("a") as file:
        file.write(text)


def edit_lock(edit):
    """Change the stages of stages/dvc.lock."""
    content = from_yaml(Path("stages/dvc.lock"))
    edit(content["stages"])
    Path("stages/dvc.lock").write_text(to_yaml(content))


def commit():
    """`dvc commit -f`: the lock takes whatever lies there now."""
    content = from_yaml(Path("stages/dvc.lock"))
    parameters = {path: from_yaml(Path(path)) for path in ("params.yaml", "scales/demo.yaml")}
    for stage in content["stages"].values():
        for item in (*stage.get("deps", ()), *stage.get("outs", ())):
            item["md5"] = files.md5(Path(item["path"]))
        for path, keys in stage.get("params", {}).items():
            for key in keys:
                node = parameters[path]
                for step in key.split("."):
                    node = node[step]
                keys[key] = node
    Path("stages/dvc.lock").write_text(to_yaml(content))


def refile(seed, edit, study=STUDY):
    """Edit the results of one run and file them and their record anew, in every place but one's choice."""
    run = paths.seed(study, seed)
    edit(run)
    collect(Path(), seed, study)
    lock(Path())


def rerecord(run, inputs=False):
    """Let each record under `run` say that its process wrote what lies there now; with `inputs`, read it too."""
    for path in sorted(run.rglob("record.json")):
        found = files.read_json(path)
        for key in ("inputs", "outputs") if inputs else ("outputs",):
            found[key] = {name: files.md5(Path(name)) for name in found[key]}
        path.write_text(files.to_json(found))


def copied_run(run):
    """Make seed 1337 a copy of seed 42 in everything, its own number written into every file."""
    source = run.with_name("seed_42")
    for path in sorted(source.rglob("*")):
        if path.is_file():
            text = path.read_text().replace("seed_42", "seed_1337").replace('"seed": 42', '"seed": 1337')
            target = run / path.relative_to(source)
            target.write_text(text.replace('"42"', '"1337"').replace('"attack_seed": 43', '"attack_seed": 1338'))
    rerecord(run, inputs=True)


def renamed_checkpoints(run, study=STUDY):
    """After `copied_run`: other weights are claimed, as they would be of another run."""
    copied_run(run)
    for path in run.rglob("results.json"):
        text = path.read_text()
        for arm in ("baseline", "monotonic"):
            text = text.replace(checkpoint(42, arm, study), checkpoint(1337, arm, study))
        path.write_text(text)
    rerecord(run)


def run(root, command, ok=True):
    """Output of a command typed in `root`; errors and all."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, *command.split()], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done.stdout + done.stderr


def refused(root, command):
    """The one line with which a command ends on bad input."""
    lines = run(root, command, ok=False).splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def snapshot(folder):
    """Content of every file below `folder`."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory):
    """Five runs of each study filed, locked, aggregated, rendered and traced. Never to be changed: copy it."""
    root = finished(tmp_path_factory.mktemp("evidence") / "study")
    selected = load_params(root)
    for name in STUDIES:
        aggregation.aggregate(name, selected, root)
    numbers.write(selected, root)
    paper_lock(root)
    provenance.write(selected, [spec.id for spec in specs.load(root)], root)
    index.write(selected, root)
    return root


@pytest.fixture
def study(finished_study, tmp_path, monkeypatch):
    """A copy of it, which is also the current folder."""
    root = tmp_path / "study"
    shutil.copytree(finished_study, root, symlinks=True)
    monkeypatch.chdir(root)
    return root
