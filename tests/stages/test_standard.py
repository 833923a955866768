"""Stage standard: from scratch and from the hub, as a process of its own."""

import hub_server
import pytest
import workspace


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = workspace.made(tmp_path_factory.mktemp("standard"))
    made.run("standard")
    return made


def test_from_scratch_it_leaves_a_checkpoint_its_history_and_a_record(place):
    folder = place.runs / "standard"
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint", "record.json", "results.json"]
    results = workspace.read(folder / "results.json")
    history = results["training"]
    # 100 pairs, 2 of them held out, in batches of 16.
    assert history["budget"]["steps"] == 7
    assert history["best"]["validation_nll_per_token"] < history["initial"]["validation_nll_per_token"]
    assert results["model"]["name"] == "scratch (1+1 layers, width 16)"
    told = workspace.read(folder / "record.json")
    assert told["identity"] == {"study": workspace.STUDY}
    assert set(told["params"]["scales/small.yaml"]) == {"t5_experiments.compute", "t5_experiments.standard"}
    assert set(told["inputs"]) == {"runs/t5_experiments/corpus/data", "requirements.lock"}
    assert {"stages/standard.py", "mono_s2s/training.py", "mono_s2s/models/architectures.py"} <= set(told["code"])
    assert set(told["code"]) <= {path.relative_to(place.path).as_posix() for path in place.path.rglob("*.py")}
    assert not list((place.path / "runs/.scratch").rglob("*.safetensors"))


def test_it_imports_nothing_of_the_evidence(place):
    code = workspace.read(place.runs / "standard/record.json")["code"]
    assert not [name for name in code if "evidence" in name or "params" in name or "statistics" in name]


def test_the_same_seed_gives_the_same_bytes(place):
    before = place.contents("standard", "checkpoint", "results.json")
    place.run("standard")
    assert place.contents("standard", "checkpoint", "results.json") == before


def test_from_the_hub_it_is_the_model_at_its_revision(place, tmp_path):
    served = place.runs / "standard/checkpoint"
    with hub_server.serve(models={"me/tiny": served}) as server:

        def pretrained(revision):
            return lambda study: study.update(standard={"kind": "pretrained", "name": "me/tiny", "revision": revision})

        weights = (served / "model.safetensors").read_bytes()
        copy = workspace.made(tmp_path / "copy")
        copy.scale(pretrained(server.commit("me/tiny")))
        copy.run("standard", environment=server.environment(tmp_path / "home"))
        assert (copy.runs / "standard/checkpoint/model.safetensors").read_bytes() == weights
        results = workspace.read(copy.runs / "standard/results.json")
        assert results["training"] is None
        assert results["model"]["name"] == "me/tiny (1+1 layers, width 16)"
        copy.scale(pretrained("f" * 40))
        said = copy.run("standard", code=1, environment=server.environment(tmp_path / "home"))
        assert said.splitlines()[-1].startswith("error: me/tiny: cannot be loaded as a model")
        assert "Traceback" not in said


def test_a_decoder_from_scratch_learns_the_pretraining_blocks(tmp_path):
    place = workspace.made(tmp_path, workspace.TEXT_STUDY)
    place.run("standard")
    results = workspace.read(place.runs / "standard/results.json")
    assert results["study"] == workspace.TEXT_STUDY
    assert results["model"]["name"] == "scratch (1 layers, width 16)"
    assert results["model"]["architecture"] == "decoder-only"
    history = results["training"]
    assert history["budget"]["steps"] == 7
    assert history["budget"]["target_tokens"] == 98 * 20
    assert history["best"]["validation_nll_per_token"] < history["initial"]["validation_nll_per_token"]


def test_a_missing_corpus_is_one_line(place, tmp_path):
    (place.runs / "corpus/data").rename(tmp_path / "data")
    try:
        said = place.run("standard", code=1)
    finally:
        (tmp_path / "data").rename(place.runs / "corpus/data")
    assert said == (
        "error: runs/t5_experiments/corpus/data: missing, standard needs it: run `dvc repro` (or `dvc pull`) first\n"
    )
