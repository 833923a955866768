"""Experiments made up: a real git repository with variants' runs in refs/exps, as DVC leaves them."""

import copy
import hashlib
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from mono_s2s import files
from mono_s2s.evidence import sweep
from mono_s2s.files import BadInput

ROOT = Path(__file__).resolve().parents[1]
STUDY = "foundation_llm_experiments"
SCALE = "scales/toy.yaml"
DAMAGE = "hotflip.delta_nll_per_token"


def to_yaml(content):
    return yaml.dump(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))


def sha(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def record(stage, commit):
    return {
        "schema_version": 1,
        "stage": stage.partition(".")[0],
        "command": ["python", "-m", f"stages.{stage}"],
        "identity": {"study": STUDY},
        "code": {"mono_s2s/files.py": "a" * 32},
        "params": {},
        "inputs": {},
        "outputs": {},
        "git": {"commit": commit, "branch": "HEAD", "tag": None, "dirty": True},
        "hardware": {"node": "n", "processor": "p", "cores": 2, "gpu": None, "slurm": {}},
        "versions": {},
        "started": "2026-11-20T10:00:00+00:00",
        "ended": "2026-11-20T10:01:00+00:00",
        "seconds": 60.0,
    }


def results(section, seed, loss, damage, commit):
    """The three files of a run that a sweep reads."""
    constraint = section["train"]["constraint"]
    run = {"schema_version": 1, "study": STUDY, "scale": "toy", "seed": seed, "data_digest": sha("data")}
    weights = {
        "standard": sha("standard"),
        "baseline": sha(seed, "baseline"),
        "monotonic": sha(seed, sorted(constraint.items())),
    }
    epoch = {
        "epoch": 1,
        "step": 6,
        "train_nll_per_token": 2.0,
        "validation_nll_per_token": 2.1,
        "validation_tokens": 500,
    }
    arms = ("baseline", "monotonic")
    final = {
        **run,
        "stage": "collect",
        "attack_seed": seed + 1,
        "checkpoints": weights,
        "metrics": {
            "evaluate.nll_per_token": dict(zip(arms, loss, strict=True)),
            DAMAGE: dict(zip(arms, damage, strict=True)),
        },
    }
    facts = {"formula": "W = softplus(V)", "matrices": 2, "parameters": 1024, "share": 0.25, "minimum_weight": 1e-5}
    model = {"name": "scratch", "architecture": "decoder-only", "parameters": 4096}
    training = {
        **run,
        "stage": "train",
        "arm": "monotonic",
        "initial_checkpoint": weights["standard"],
        "checkpoint": weights["monotonic"],
        "model": model,
        "constraint": {**constraint, **facts, "activation": "gelu", "activation_monotone": False},
        "budget": {
            **dict.fromkeys(("epochs", "steps", "batch_size", "accumulation", "examples"), 1),
            **dict.fromkeys(("input_tokens", "target_tokens"), 9),
            **dict.fromkeys(("learning_rate", "warmup_ratio", "weight_decay", "max_gradient_norm", "dropout"), 0.1),
            "schedule": "linear",
        },
        "initial": epoch,
        "epochs": [epoch],
        "best": epoch,
    }
    stages = ("corpus", "standard", "train.baseline", "train.monotonic", "evaluate", "uat", "hotflip")
    metadata = {
        "schema_version": 1,
        "experiment_id": f"{STUDY}_toy_seed{seed}_20261120",
        "experiment_type": "language_modelling",
        "study": STUDY,
        "scale": "toy",
        "timestamp_start": "2026-11-20T10:00:00+00:00",
        "timestamp_end": "2026-11-20T10:01:00+00:00",
        "seed": seed,
        "model": model,
        "hardware": {"gpu": None, "node": "n", "slurm_job_ids": [], "processor": "p"},
        "hyperparameters": copy.deepcopy(section),
        "results_files": {},
        "checkpoints": {
            name: {"sha256": digest, "path": f"runs/{name}", "archived_to": None} for name, digest in weights.items()
        },
        "data_digest": sha("data"),
        "status": "complete",
        "verification": {
            "all_stages_completed": True,
            "results_validated": True,
            "used_in_paper": False,
            "paper_tables": [],
        },
        "git": {"commit": commit, "branch": "HEAD", "tag": None, "dirty": True},
        "versions": {},
        "stages": {stage: record(stage, commit) for stage in stages},
    }
    return {"final_results.json": final, "monotonic_training.json": training, "metadata.json": metadata}


class Repository:
    """A checkout with parameters, and experiments in refs/exps."""

    def __init__(self, path):
        self.path = path
        self.params = yaml.safe_load((ROOT / "params.yaml").read_text())
        self.params |= {"study": STUDY, "scale": "toy", "seed": 42}
        self.params["sweep"] = {"perplexity_ratio_ceiling": 2.0, "damage": DAMAGE}
        self.scale = yaml.safe_load((ROOT / SCALE).read_text())
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.write()
        self.head = self.commit("start")

    def git(self, *arguments, given=None):
        identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.path, input=given, capture_output=True, check=True
        ).stdout.decode()

    def write(self):
        files.write_text(self.path / "params.yaml", to_yaml(self.params))
        files.write_text(self.path / SCALE, to_yaml(self.scale))

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def run(
        self, name, scope, seed, *, mode="nonneg", loss=(1.0, 1.1), damage=(2.0, 1.5), edit=lambda held: None, ref=None
    ):
        """One experiment; `edit` may alter what it holds: params, scale and results, before it is committed."""
        held = {"params": copy.deepcopy(self.params), "scale": copy.deepcopy(self.scale)}
        held["params"]["seed"] = seed
        section = held["scale"][STUDY]
        section["train"]["constraint"] = {"mode": mode, "scope": scope}
        held |= results(section, seed, loss, damage, self.head)
        edit(held)
        folder = f"experiment_results/{STUDY}/seed_{seed}"
        content = {"params.yaml": to_yaml(held.pop("params")), SCALE: to_yaml(held.pop("scale"))}
        content |= {f"{folder}/{file}": json.dumps(value) for file, value in held.items() if value is not None}
        ref = ref or f"refs/exps/{self.head[:2]}/{self.head[2:]}/{name}"
        stream = f"commit {ref}\ncommitter t <t@example.org> 0 +0000\ndata 0\nfrom {self.head}\n".encode()
        for path, text in content.items():
            data = text.encode()
            stream += f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"
        self.git("fast-import", "--quiet", "--force", given=stream)

    def file(self, scope, seed, **options):
        """A run's results committed on the branch itself."""
        section = copy.deepcopy(self.scale[STUDY])
        assert section["train"]["constraint"]["scope"] == scope
        found = results(section, seed, options.get("loss", (1.0, 1.1)), options.get("damage", (2.0, 1.5)), self.head)
        for name, content in found.items():
            files.write_json(self.path / f"experiment_results/{STUDY}/seed_{seed}/{name}", content)

    def compare(self):
        return sweep.compare(root=self.path)

    def refused(self):
        with pytest.raises(BadInput) as caught:
            self.compare()
        message = str(caught.value)
        assert "\n" not in message
        return message


def swept(path):
    """Two variants, two seeds each; mlp_in lowers the damage more, at a ratio of e**0.3."""
    repository = Repository(path)
    for seed in (42, 1337):
        repository.run(f"in-{seed}", "mlp_in", seed, loss=(1.0, 1.3), damage=(2.0, 1.0 + seed / 10000))
        repository.run(f"both-{seed}", "mlp_both", seed, loss=(1.0, 1.1), damage=(2.0, 1.75))
    return repository
