"""What stages hotflip and uat must do alike, in both studies."""

import csv
from types import ModuleType

import pytest
import standin

from mono_s2s import files, paths, scale, seeds
from mono_s2s.evidence import examples, tasks
from mono_s2s.models import checkpoints

SEED = 7


def ran(stage: str, study: str, path):
    """A workspace in which the stage has run."""
    standin.workspace(path, SEED, study)
    done = standin.run_stage(stage, path, SEED, study)
    assert done.returncode == 0, done.stderr
    return path


def check_results(stage: str, study: str, workspace, count: int):
    """Schema, identity, columns in order, `count` rows, and every mean recomputed from them; the typed results."""
    folder = workspace / paths.seed(study, SEED) / stage
    known = tasks.of(study)
    # Filed under these names.
    results, source = f"{stage}_results.json", f"{stage}_examples.csv"
    found = known.files[results].model_validate(files.read_json(folder / "results.json"))
    assert (found.stage, found.study, found.scale, found.seed) == (stage, study, "standin", SEED)
    assert found.attack_seed == seeds.attack_seed(SEED) != SEED
    assert found.data_digest == "d" * 64
    assert found.checkpoints == {
        name: checkpoints.digest(workspace / place) for name, place in paths.checkpoints(study, SEED).items()
    }
    assert len(set(found.checkpoints.values())) == 3
    assert set(found.models) == set(scale.MODELS)
    assert found.n == 10
    stated = found.attack["decoding"] if study == standin.STUDY else found.attack["scoring"]
    assert stated["batch_size"] == 4
    rows = examples.read(folder / "examples.csv", known.columns[source])
    assert len(rows) == count
    examples.check_attack(stage, found, rows, {results: folder / "results.json", source: folder / "examples.csv"})
    with (folder / "examples.csv").open() as file:
        assert tuple(next(csv.reader(file))) == known.columns[source]
    return found


def check_record(stage: str, study: str, workspace):
    """Inputs, outputs, parameters and code that the process recorded."""
    record = files.read_json(workspace / paths.seed(study, SEED) / stage / "record.json")
    assert record["identity"] == {"study": study, "seed": SEED}
    wanted = {f"{study}.{key}" for key in ("compute", "evaluate.decoding", stage)}
    assert set(record["params"]["scales/standin.yaml"]) == wanted
    assert len(record["inputs"]) == 5
    assert {name.rsplit("/", 1)[1] for name in record["outputs"]} == {"results.json", "examples.csv"}
    # A stage that knew the schemas would be stale whenever a table is changed.
    assert not [name for name in record["code"] if "evidence" in name]


def check_refusal(stage: ModuleType, study: str, path, monkeypatch, lost: str):
    """Without a checkpoint or a split the stage stops, says what is missing, and writes nothing."""
    standin.workspace(path, SEED, study)
    if lost in scale.MODELS:
        (path / paths.checkpoints(study, SEED)[lost] / checkpoints.WEIGHTS).unlink()
        message = rf"{lost}/checkpoint/model.safetensors: missing"
    else:
        (path / paths.corpus(study) / "data" / f"{lost}.jsonl").write_text("")
        message = rf"{lost}.jsonl: empty"
    monkeypatch.chdir(path)
    monkeypatch.setattr("sys.argv", ["x", "--study", study, "--scale", "standin", "--seed", str(SEED)])
    # This process has loaded the checkout's code, not the workspace's copy.
    monkeypatch.setattr("mono_s2s.record.loaded_code", lambda root: {})
    with pytest.raises(files.BadInput, match=message):
        stage.main()
    assert not (path / paths.seed(study, SEED) / stage.__name__.rsplit(".", 1)[1]).exists()
