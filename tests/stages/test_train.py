"""Stage train: both arms, as processes of their own, killed and run again."""

import csv
import os
import shutil
import signal
import time

import hub_server
import learnable
import pytest
import workspace

from mono_s2s.evidence import schemas
from mono_s2s.models import checkpoints, monotone
from mono_s2s.scale import Constraint

OUTS = ("checkpoint", "results.json", "curves.csv", "live")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A workspace with a standard model and both arms of seed 42."""
    made = workspace.made(tmp_path_factory.mktemp("train"))
    # Steps enough for a kill between the first epoch and the last.
    made.scale(lambda study: study["train"]["optimization"].update(epochs=6, batch_size=2))
    made.run("standard")
    for arm in ("baseline", "monotonic"):
        made.run("train", "--seed", "42", "--arm", arm)
    return made


def results(place, arm, seed=42):
    path = place.runs / f"seed_{seed}/{arm}/results.json"
    return schemas.read(path, schemas.Training)


def test_each_arm_leaves_its_outs_and_typed_results(place):
    for arm in ("baseline", "monotonic"):
        folder = place.runs / "seed_42" / arm
        assert sorted(path.name for path in folder.iterdir()) == sorted([*OUTS, "record.json"])
        found = results(place, arm)
        assert (found.study, found.scale, found.seed, found.arm) == (workspace.STUDY, "small", 42, arm)
        assert found.best == min(found.epochs, key=lambda epoch: epoch.validation_nll_per_token)
        told = workspace.read(folder / "record.json")
        assert told["identity"] == {"study": workspace.STUDY, "seed": 42, "arm": arm}
        assert set(told["params"]["scales/small.yaml"]) == {"t5_experiments.compute", "t5_experiments.train"}
        assert set(told["outputs"]) == {f"runs/t5_experiments/seed_42/{arm}/{name}" for name in OUTS}
        assert not [name for name in told["code"] if "evidence" in name or "params" in name]


def test_the_arms_share_start_and_budget_and_differ_in_the_constraint_alone(place):
    one, other = results(place, "baseline"), results(place, "monotonic")
    assert one.initial_checkpoint == other.initial_checkpoint
    assert one.budget == other.budget
    assert one.model == other.model
    assert one.constraint is None
    assert other.constraint.matrices == 4
    assert other.constraint.minimum_weight >= 0
    assert one.checkpoint != other.checkpoint
    assert one.initial.validation_nll_per_token != other.initial.validation_nll_per_token


def test_the_curves_are_the_epochs_and_the_live_files_are_the_curves(place):
    found = results(place, "monotonic")
    folder = place.runs / "seed_42/monotonic"
    with (folder / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    validation = [float(row["nll_per_token"]) for row in rows if row["split"] == "validation"]
    assert validation == [epoch.validation_nll_per_token for epoch in (found.initial, *found.epochs)]
    for split in ("train", "validation"):
        lines = (folder / f"live/plots/metrics/{split}/nll_per_token.tsv").read_text().splitlines()[1:]
        told = [(line.split("\t")[0], float(line.split("\t")[1])) for line in lines]
        assert told == [(row["step"], float(row["nll_per_token"])) for row in rows if row["split"] == split]
    assert sorted(path.name for path in (folder / "live").iterdir()) == ["metrics.json", "plots"]
    assert not (place.path / "dvc.yaml").exists()


def test_an_arm_that_was_stopped_and_killed_leaves_the_same_bytes(place, tmp_path):
    """SIGUSR1, as a cluster sends it before its time limit; then SIGKILL; then left alone."""
    copy = workspace.Workspace(shutil.copytree(place.path, tmp_path / "copy"))
    shutil.rmtree(copy.runs / "seed_42")
    states = copy.path / "runs/.scratch/t5_experiments/seed_42"

    def interrupted(kind):
        """Send a signal as soon as a newer state has been saved; how it ended, what it said, how far it was."""
        process = copy.start("train", "--seed", "42", "--arm", "monotonic")
        before = newest()
        while newest() == before and process.poll() is None:
            time.sleep(0.005)
        assert process.poll() is None, "it ended before it could be stopped"
        os.kill(process.pid, kind)
        _, said = process.communicate()
        return process.returncode, said

    def newest():
        found = [workspace.read(path)["step"] for path in states.glob("monotonic-*/*.json")]
        return max(found, default=0)

    code, said = interrupted(signal.SIGUSR1)
    assert code == 1
    step = newest()
    assert step > 0
    assert said.splitlines()[-1] == (
        f"error: monotonic, seed 42: stopped by SIGUSR1 after step {step} of 180: run again to go on from there"
    )
    assert interrupted(signal.SIGKILL)[0] == -signal.SIGKILL
    assert step < newest() < 180
    assert not (copy.runs / "seed_42/monotonic/results.json").exists()
    copy.run("train", "--seed", "42", "--arm", "monotonic")
    assert copy.contents("seed_42/monotonic", *OUTS) == place.contents("seed_42/monotonic", *OUTS)
    assert not list(states.glob("monotonic-*"))


@pytest.mark.parametrize(("kind", "scope", "matrices"), [("gpt_neox", "mlp_in_attn_out", 2), ("llama", "gated_all", 3)])
def test_a_decoder_from_the_hub_is_trained_and_verified(kind, scope, matrices, tmp_path):
    """Half-precision files, as the hub serves them, through stages standard and train."""
    place = workspace.made(tmp_path / "place", workspace.TEXT_STUDY)
    written = learnable.serve(tmp_path / "hub", kind, tmp_path / "data")
    with hub_server.serve(models={"me/tiny": tmp_path / "hub"}) as server:
        standard = {"kind": "pretrained", "name": "me/tiny", "revision": server.commit("me/tiny")}

        def scoped(name):
            def change(study):
                study["standard"] = standard
                study["train"]["constraint"]["scope"] = name

            return change

        place.scale(scoped(scope))
        place.run("standard", environment=server.environment(tmp_path / "home"))
    start = workspace.read(place.runs / "standard/results.json")
    assert start["training"] is None
    assert start["model"]["name"] == "me/tiny (1 layers, width 16)"
    loaded = checkpoints.load(place.runs / "standard/checkpoint", "cpu")
    assert learnable.digest(loaded) == learnable.digest(written.float())
    place.run("train", "--seed", "42", "--arm", "monotonic")
    found = workspace.read(place.runs / "seed_42/monotonic/results.json")
    assert found["model"] == start["model"]
    assert found["model"]["architecture"] == "decoder-only"
    assert (found["constraint"]["scope"], found["constraint"]["matrices"]) == (scope, matrices)
    assert found["constraint"]["minimum_weight"] >= 0
    assert found["constraint"]["activation_monotone"] is False
    assert found["constraint"]["share"] == found["constraint"]["parameters"] / found["model"]["parameters"]
    assert found["best"]["validation_nll_per_token"] < found["initial"]["validation_nll_per_token"]
    assert found["budget"]["target_tokens"] == 2 * 60 * 20
    # Read back as any later stage reads it.
    model = checkpoints.load(place.runs / "seed_42/monotonic/checkpoint", "cpu")
    monotone.verify(model, Constraint(mode="nonneg", scope=scope))
    if kind == "gpt_neox":
        place.scale(scoped("gated_all"))
        said = place.run("train", "--seed", "43", "--arm", "monotonic", code=1)
        assert said.startswith("error: train.constraint.scope: 'gated_all' is not defined for a gpt_neox model")
        assert said.count("\n") == 1


def test_a_missing_standard_model_is_one_line(place, tmp_path):
    (place.runs / "standard/checkpoint").rename(tmp_path / "checkpoint")
    try:
        said = place.run("train", "--seed", "42", "--arm", "baseline", code=1)
    finally:
        (tmp_path / "checkpoint").rename(place.runs / "standard/checkpoint")
    assert said.startswith("error: runs/t5_experiments/standard/checkpoint: missing, train needs it")
    assert said.count("\n") == 1
