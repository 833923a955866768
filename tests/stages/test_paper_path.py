"""The decoder-only study of scales/paper.yaml from the hub to its filed results, with tiny models of random weights.

Nothing but sizes, device and names differs from that scale: text is streamed, the model's half-precision files are read
by commit, texts are packed, gradients checkpointed, and every stage runs as DVC runs it.
"""

import json
import shutil
import subprocess

import hub_server
import learnable
import pytest
import workspace
import yaml

from mono_s2s.evidence import collection, schemas

pytest.importorskip("datasets", reason="the optional extra mono-s2s[hub] is not installed")
STUDY = workspace.TEXT_STUDY


def rows(split: str, count: int) -> str:
    words = ("north", "river", "seven", "lamps", "bridge", "under", "old", "green")
    texts = (" ".join(words[(n * 7 + k * k) % 8] for k in range(60)) + f" {split} {n}" for n in range(count))
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


def shrunk(name: str, family_scope: str, server, pile: str) -> dict:
    """The section of scales/paper.yaml, smaller."""
    study = yaml.safe_load((workspace.ROOT / "scales/paper.yaml").read_text())[STUDY]
    study["compute"] |= {"device": "cpu", "threads": 1, "precision": "fp32"}
    source = study["corpus"]["source"]
    parts = [source["train"], source["validation"], *source["test"].values()]
    parts += [source["attack_optimization"], source["attack_evaluation"]]
    for part, limit in zip(parts, (12, 4, 4, 4, 4), strict=True):
        part |= {"name": pile, "revision": server.commit(pile), "limit": limit, "skip": 4 if part.get("skip") else 0}
        part["file"] = part["file"].removesuffix(".zst")
    study["corpus"] |= {"block_tokens": learnable.standin.BLOCK, "continuation_tokens": 4}
    study["corpus"]["tokenizer"] |= {"name": name, "revision": server.commit(name)}
    study["standard"] |= {"name": name, "revision": server.commit(name)}
    study["train"]["optimization"] |= {"epochs": 1, "batch_size": 4, "learning_rate": 0.003}
    study["train"]["constraint"]["scope"] = family_scope
    study["evaluate"] |= {"resamples": 20, "multiple_choice": None}
    study["uat"] |= {"trigger_tokens": 2, "iterations": 1, "candidates": 3, "batch_size": 2, "restarts": 1}
    study["hotflip"] |= {"flips": 2, "candidates": 2, "batch_size": 2}
    return study


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "scope", "matrices"), [("gpt_neox", "mlp_both", 2), ("llama", "gated_all", 3)])
def test_a_model_of_random_weights_passes_through_every_stage(kind, scope, matrices, tmp_path):
    place = workspace.made(tmp_path / "place", STUDY)
    shutil.rmtree(place.runs / "corpus")
    shutil.copy(workspace.ROOT / "params.yaml", place.path)
    for command in ("git init -q", "git config user.name t", "git config user.email t@example.org", "git add -A"):
        subprocess.run(command.split(), cwd=place.path, check=True)
    subprocess.run(["git", "commit", "-qm", "feat: start"], cwd=place.path, check=True)
    learnable.serve(tmp_path / "hub", kind, tmp_path / "data")
    pile = tmp_path / "pile"
    (pile / "train").mkdir(parents=True)
    for file, count in (("train/00", 20), ("val", 12), ("test", 12)):
        (pile / f"{file}.jsonl").write_text(rows(file, count))
    with hub_server.serve(models={"me/tiny": tmp_path / "hub"}, datasets={"me/pile": pile}) as server:
        study = shrunk("me/tiny", scope, server, "me/pile")
        assert study["train"]["optimization"]["gradient_checkpointing"] is True
        (place.path / "scales/small.yaml").write_text(yaml.safe_dump({STUDY: study}))
        environment = server.environment(tmp_path / "home")
        place.run("check", environment=environment)
        (place.path / "data/small").mkdir(parents=True)
        (place.path / "data/small/README.md").write_text("Nothing is read from here.\n")
        for stage in ("corpus", "standard"):
            place.run(stage, environment=environment)
    # From here on no hub is needed.
    for arm in ("baseline", "monotonic"):
        place.run("train", "--seed", "42", "--arm", arm)
    for stage in ("evaluate", "uat", "hotflip", "collect"):
        place.run(stage, "--seed", "42")
    folder = place.path / "experiment_results" / STUDY / "seed_42"
    run = collection.read(STUDY, 42, {name: folder / name for name in collection.COPIED})
    constraint = run.training["monotonic"].constraint
    assert (constraint.scope, constraint.matrices) == (scope, matrices)
    assert constraint.minimum_weight >= 0
    assert not constraint.activation_monotone
    assert run.training["baseline"].model.name.startswith("me/tiny")
    (part,) = run.evaluation.datasets.values()
    assert len({quality.nll_per_token for quality in part.models.values()}) == 3
    final = schemas.read(folder / "final_results.json", schemas.Final)
    assert final.metrics["evaluate.perplexity_ratio"]["baseline"] == 1.0
    assert final.metrics["evaluate.perplexity_ratio"]["monotonic"] != 1.0
