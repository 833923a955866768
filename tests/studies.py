"""A study as its stages leave it, made up: five runs with every file, record and lock entry, without training any."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from mono_s2s import files, paths, scale
from mono_s2s.evidence import aggregation, collection, examples, filing, index, metadata, provenance, specs, tables
from mono_s2s.params import load_params

ROOT = Path(__file__).resolve().parents[1]
STUDY = "t5_experiments"
SEEDS = [42, 1337, 2024, 8888, 12345]
MODELS = ("standard", "baseline", "monotonic")
ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")
N = 6
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


def sha(text):
    return hashlib.sha256(str(text).encode()).hexdigest()


DATA = sha("data")


def checkpoint(seed, model):
    return sha("standard") if model == "standard" else sha((seed, model))


def identity(seed):
    return {"schema_version": 1, "study": STUDY, "scale": "demo", "seed": seed, "data_digest": DATA}


def lengths(values):
    values = np.array(values)
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
        "median": float(np.median(values)),
        "minimum": int(values.min()),
        "maximum": int(values.max()),
        "total": int(values.sum()),
    }


def data_statistics():
    split = {
        "examples": N,
        "sources": {"news": N},
        "document_tokens": lengths([40, 50, 60]),
        "reference_tokens": lengths([8, 9, 10]),
        "truncated_documents": 0,
        "truncated_references": 0,
        "unknown_tokens": 0,
        "digest": sha("split"),
    }
    return {
        "schema_version": 1,
        "study": STUDY,
        "scale": "demo",
        "source": "generated",
        "splits": dict.fromkeys(("train", "validation", "test_dialogue", "test_news"), split),
        "pretraining": None,
        "overlaps": {"train/validation": 0},
        "duplicates_dropped": {},
        "empty_dropped": {},
        "vocabulary": 1000,
        "attack_vocabulary": 900,
        "tokenizer_digest": sha("tokenizer"),
        "data_digest": DATA,
    }


def training(seed, arm):
    random = np.random.default_rng([seed, len(arm)])
    start = 3.2 if arm == "monotonic" else 2.9
    losses = [float(start), *(float(start - step + random.normal(0, 0.02)) for step in (0.5, 0.6))]
    epochs = [
        {
            "epoch": place,
            "step": place * 10,
            "train_nll_per_token": None if place == 0 else loss + 0.1,
            "validation_nll_per_token": loss,
            "validation_tokens": 500,
        }
        for place, loss in enumerate(losses)
    ]
    constraint = {
        "mode": "nonneg",
        "scope": "mlp_both",
        "formula": "W = softplus(V)",
        "matrices": 8,
        "parameters": 131072,
        "share": 0.476,
        "minimum_weight": 1e-05,
        "activation": "relu",
        "activation_monotone": True,
    }
    budget = {
        "epochs": 2,
        "steps": 20,
        "batch_size": 32,
        "accumulation": 1,
        "examples": 640,
        "input_tokens": 40000,
        "target_tokens": 9000,
        "learning_rate": 0.003,
        "schedule": "linear warm-up, then linear decay to 0",
        "warmup_ratio": 0.1,
        "weight_decay": 0.01,
        "max_gradient_norm": 1.0,
        "dropout": 0.0,
    }
    content = {
        **identity(seed),
        "stage": "train",
        "arm": arm,
        "initial_checkpoint": sha("standard"),
        "checkpoint": checkpoint(seed, arm),
        "model": {"name": "t5-scratch", "architecture": "encoder-decoder", "parameters": 275000},
        "constraint": constraint if arm == "monotonic" else None,
        "budget": budget,
        "initial": epochs[0],
        "epochs": epochs[1:],
        "best": min(epochs[1:], key=lambda epoch: epoch["validation_nll_per_token"]),
    }
    curve = [
        {"step": e["step"], "epoch": e["epoch"], "split": "validation", "nll_per_token": e["validation_nll_per_token"]}
        for e in epochs
    ]
    curve.insert(1, {"step": 5, "epoch": 1, "split": "train", "nll_per_token": 2.8})
    return content, curve


def scores(random, quality):
    drawn = np.clip(random.normal(quality, 0.05, size=4), 0, 1)
    return dict(zip(ROUGE, map(float, drawn), strict=True))


def means(rows):
    tokens = sum(row["target_tokens"] for row in rows)
    return {
        **{name: float(np.mean([row[name] for row in rows])) for name in ROUGE},
        "nll_per_token": sum(row["nll_nats"] for row in rows) / tokens,
        "target_tokens": tokens,
    }


def around(values):
    return {"mean": float(np.mean(values)), "lower": float(np.min(values)), "upper": float(np.max(values))}


def generator(seed, model, *more):
    """The standard model is the same in every run; so are its clean outputs."""
    return np.random.default_rng([1 if model == "standard" else seed, MODELS.index(model), *more])


def evaluation(seed):
    rows, points, datasets = [], [], {}
    for place, dataset in enumerate(("dialogue", "news")):
        parts, costless = {}, {}
        for model in MODELS:
            random = generator(seed, model, place)
            own = [
                {
                    "dataset": dataset,
                    "example_id": f"{dataset}-{index}",
                    "model": model,
                    **scores(random, 0.2 + 0.1 * MODELS.index(model)),
                    "nll_nats": float(20 + random.random()),
                    "target_tokens": 9 + index,
                    "prediction_tokens": 10,
                    "reference_tokens": 9,
                    "prediction": f'a summary, "quoted" {index}',
                }
                for index in range(N + place)
            ]
            found = means(own)
            parts[model] = {
                "rouge": {name: around([row[name] for row in own]) for name in ROUGE},
                "nll_per_token": found["nll_per_token"],
                "target_tokens": found["target_tokens"],
                "prediction_lengths": lengths([row["prediction_tokens"] for row in own]),
                "reference_lengths": lengths([row["reference_tokens"] for row in own]),
                "length_ratio": 10 / 9,
                "brevity_penalty": 1.0,
            }
            rows += own
        for point in ("lead_1", "other_summary"):
            random = np.random.default_rng([place, len(point)])
            own = [
                {"dataset": dataset, "example_id": f"{dataset}-{index}", "point": point, **scores(random, 0.15)}
                for index in range(N + place)
            ]
            costless[point] = {name: around([row[name] for row in own]) for name in ROUGE}
            points += own
        datasets[dataset] = {"n": N + place, "models": parts, "reference_points": costless}
    content = {
        **identity(seed),
        "stage": "evaluate",
        "checkpoints": {model: checkpoint(seed, model) for model in MODELS},
        "decoding": {"beams": 4},
        "rouge": {"stemmer": True},
        "datasets": datasets,
    }
    return content, rows, points


def attacked_rows(seed, model, condition, extra, origin=0):
    random = generator(seed, model, 7, len(condition), origin)
    worse = {"clean": 0.0, "attack": 8.0, "random": 1.0, "random_search": 3.0, "transfer": 2.0}[condition]
    worse *= 0.8 if model == "monotonic" else 1.0
    return [
        {
            "example_id": f"attack-{index}",
            "model": model,
            "condition": condition,
            **extra,
            **scores(random, 0.4 - worse / 50),
            "nll_nats": float(20 + worse + random.random()),
            "target_tokens": 9 + index,
            "prediction": "a summary",
        }
        for index in range(N)
    ]


def damage(clean_rows, other_rows):
    clean, other = means(clean_rows), means(other_rows)
    delta = other["nll_per_token"] - clean["nll_per_token"]
    pairs = list(zip(clean_rows, other_rows, strict=True))
    rises = [b["nll_nats"] - a["nll_nats"] >= 0.1 * a["nll_nats"] > 0 for a, b in pairs]
    drops = [a["rougeL"] - b["rougeL"] >= 0.1 for a, b in pairs]
    return {
        "delta_nll_per_token": delta,
        "relative_nll": delta / clean["nll_per_token"],
        "delta_rougeL": clean["rougeL"] - other["rougeL"],
        "success_relative_nll": [{"threshold": 0.1, "rate": sum(rises) / len(rises)}],
        "success_rougeL_drop": [{"threshold": 0.1, "rate": sum(drops) / len(drops)}],
    }


def attack(seed, name):
    conditions = ("clean", "attack", "random", "random_search")
    rows, models, rows_of = [], {}, {}
    for model in MODELS:
        found = rows_of[model] = {}
        for condition in conditions:
            own = {"flips": 0 if condition == "clean" else 5, "changes": "3:17>21"}
            if name == "uat":
                own = {"trigger_source": model if condition == "attack" else ""}
            made = attacked_rows(seed, model, condition, own)
            found[condition] = made
            rows += made
        models[model] = {
            "effort": {condition: {"forward": 100, "backward": 10} for condition in conditions[1:]},
            "conditions": {condition: means(made) for condition, made in found.items()},
            "damage": {condition: damage(found["clean"], found[condition]) for condition in conditions[1:]},
        }
        if name == "hotflip":
            curve = {"flips": 5, "nll_per_token": 2.0, "random_nll_per_token": 1.9, "random_search_nll_per_token": 1.9}
            flips = dict.fromkeys(conditions[1:], 5.0)
            more = {"curve": [curve], "effective_flips": flips, "short_examples": 0, "first_order_correlation": 0.5}
        else:
            trigger = {"ids": [5, 6, 7], "text": "one two three", "search_nll_per_token": 2.0}
            more = {"triggers": {"attack": trigger, "random_search": trigger}, "trace": [1.0, 2.0]}
        models[model].update(more)
    content = {
        **identity(seed),
        "stage": name,
        "attack_seed": seed + 1,
        "checkpoints": {model: checkpoint(seed, model) for model in MODELS},
        "attack": {"name": name},
        "n": N,
        "models": models,
    }
    if name == "uat":
        transfer = {}
        for place, source in enumerate(MODELS):
            for target in MODELS:
                clean, other = rows_of[target]["clean"], rows_of[target]["attack"]
                if source != target:
                    made = attacked_rows(seed, target, "transfer", {"trigger_source": source}, place + 1)
                    rows += made
                    other = made
                transfer.setdefault(source, {})[target] = damage(clean, other)
        content.update(n_optimization=N, transfer=transfer)
    return content, rows


def put(path, content):
    """Write a made-up file: JSON, or a table with columns and rows."""
    if path.suffix == ".csv":
        files.write_csv(path, *content)
    else:
        files.write_json(path, content)


def record(root, stage, seed, arm, inputs, outputs, where):
    """A record as `record.recording` writes it, for a process that never ran."""
    arguments = ["--study", STUDY, "--scale", "demo"]
    who = {"study": STUDY}
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
            "params": scale.tracked("demo", [f"{STUDY}.{key}" for key in PARAMS[stage]], root),
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


def leave(root, seed):
    """Write what the heavy stages of one run leave under runs/."""
    corpus, standard, run = paths.corpus(STUDY), paths.standard(STUDY), paths.seed(STUDY, seed)
    if not (root / corpus).exists():
        files.write_text(root / "runs" / STUDY / "check.txt", "fine\n")
        files.write_text(root / corpus / "data" / "encoding.json", "{}\n")
        put(root / corpus / "data_statistics.json", data_statistics())
        outs = [f"{corpus}/data", f"{corpus}/data_statistics.json"]
        record(root, "corpus", None, None, [f"runs/{STUDY}/check.txt", "data/demo", "requirements.lock"], outs, corpus)
        files.write_text(root / standard / "checkpoint" / "model.txt", "standard\n")
        put(root / standard / "results.json", {"checkpoint": sha("standard")})
        outs = [f"{standard}/checkpoint", f"{standard}/results.json"]
        record(root, "standard", None, None, [f"{corpus}/data", "requirements.lock"], outs, standard)
    for arm in ("baseline", "monotonic"):
        content, curve = training(seed, arm)
        where = run / arm
        files.write_text(root / where / "checkpoint" / "model.txt", f"{seed} {arm}\n")
        files.write_text(root / where / "live" / "metrics.json", "{}\n")
        put(root / where / "results.json", content)
        put(root / where / "curves.csv", (examples.CURVES, curve))
        inputs = [f"{corpus}/data", f"{standard}/checkpoint", "requirements.lock"]
        outs = [f"{where}/{name}" for name in ("checkpoint", "results.json", "curves.csv", "live")]
        record(root, "train", seed, arm, inputs, outs, where)
    models = [f"{path}" for path in paths.checkpoints(STUDY, seed).values()]
    inputs = [f"{corpus}/data", *models, "requirements.lock"]
    content, rows, points = evaluation(seed)
    put(root / run / "evaluate" / "results.json", content)
    put(root / run / "evaluate" / "examples.csv", (examples.EVALUATION, rows))
    put(root / run / "evaluate" / "reference_points.csv", (examples.REFERENCE_POINTS, points))
    outs = [f"{run}/evaluate/{name}" for name in ("results.json", "examples.csv", "reference_points.csv")]
    record(root, "evaluate", seed, None, inputs, outs, run / "evaluate")
    for name, columns in (("uat", examples.UAT), ("hotflip", examples.HOTFLIP)):
        content, rows = attack(seed, name)
        put(root / run / name / "results.json", content)
        put(root / run / name / "examples.csv", (columns, rows))
        outs = [f"{run}/{name}/results.json", f"{run}/{name}/examples.csv"]
        record(root, name, seed, None, inputs, outs, run / name)


def section(root):
    return scale.read_yaml(root / "scales/demo.yaml")[STUDY]


def collect(root, seed):
    """What stage collect does, without a process."""
    filing.file_run(STUDY, seed, section(root), load_params(root).seeds, root)


def _hashed(root, names):
    return [{"path": str(name), "hash": "md5", "md5": files.md5(root / name)} for name in names]


def to_yaml(content):
    return yaml.dump(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))


def from_yaml(path):
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def lock(root, seeds=SEEDS):
    """stages/dvc.lock as DVC would have written it from the records, and from collect's files."""
    stages = {
        f"check@{STUDY}": {
            "cmd": f"python -m stages.check --study {STUDY}",
            "outs": _hashed(root, [f"runs/{STUDY}/check.txt"]),
        }
    }
    for seed in seeds:
        for name in metadata.RECORDS:
            stage, _, arm = name.partition(".")
            address = f"{stage}@{STUDY}" + ("" if name in metadata.SHARED else f"-{seed}") + (f"-{arm}" if arm else "")
            where = collection.folder(name, STUDY, seed) / "record.json"
            found = files.read_json(root / where)
            stages[address] = {
                "cmd": " ".join(["python", *found["command"][1:]]),
                "deps": _hashed(root, [*found["inputs"], *found["code"]]),
                "params": found["params"],
                "outs": _hashed(root, [*found["outputs"], where]),
            }
        filed = paths.results(STUDY, seed)
        stages[f"collect@{STUDY}-{seed}"] = {
            "cmd": f"python -m stages.collect --study {STUDY} --scale demo --seed {seed}",
            "deps": _hashed(root, [*collection.sources(STUDY, seed).values(), "stages/collect.py"]),
            "params": {"scales/demo.yaml": {STUDY: section(root)}},
            "outs": _hashed(root, [filed / name for name in (*collection.COPIED, *collection.DERIVED)]),
        }
    files.write_text(root / "stages/dvc.lock", to_yaml({"schema": "2.0", "stages": stages}))


def paper_lock(root):
    """paper_evidence/dvc.lock as DVC would have written it after stage aggregate."""
    outs = [paths.aggregated(STUDY) / name for name in ("all_seeds_summary.json", "statistical_tests.json")]
    stage = {"cmd": f"python -m stages.aggregate --study {STUDY}", "outs": _hashed(root, outs)}
    content = {"schema": "2.0", "stages": {f"aggregate@{STUDY}": stage}}
    files.write_text(root / "paper_evidence/dvc.lock", to_yaml(content))


def lay_out(root):
    """This checkout's code, parameters, specs and templates in `root`."""
    ignored = shutil.ignore_patterns("__pycache__", "dvc.lock")
    for name in ("mono_s2s", "stages", "scales", "data/demo", "paper_evidence/specs", "paper_evidence/templates"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, root / name)
    return root


def finished(root):
    """All five runs filed and locked."""
    lay_out(root)
    for seed in SEEDS:
        leave(root, seed)
        collect(root, seed)
    lock(root)
    return root


def change(path, edit):
    """Edit a JSON file in place, in the one JSON form."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(files.to_json(content))


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
    """Five runs filed, locked, aggregated, rendered and traced. Never to be changed: copy it."""
    root = finished(tmp_path_factory.mktemp("evidence") / "study")
    selected = load_params(root)
    aggregation.aggregate(STUDY, selected, root)
    tables.write_all(specs.load(root), selected.seeds, root)
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
