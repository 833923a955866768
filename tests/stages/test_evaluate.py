import csv
import json

import pytest
import standin

from mono_s2s import files, paths, scale
from mono_s2s.evidence import examples, schemas, tasks
from mono_s2s.models import checkpoints
from stages import evaluate

SEED = 7
FOLDER = paths.seed(standin.STUDY, SEED) / "evaluate"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    path = standin.workspace(tmp_path_factory.mktemp("evaluate"), SEED)
    done = standin.run_stage("evaluate", path, SEED)
    assert done.returncode == 0, done.stderr
    return path


def test_results_keep_to_the_schema_and_say_which_run_they_are(workspace):
    found = schemas.read(workspace / FOLDER / "results.json", schemas.Evaluation)
    assert (found.stage, found.study, found.scale, found.seed) == ("evaluate", standin.STUDY, "standin", SEED)
    assert found.data_digest == "d" * 64
    assert found.checkpoints == {
        name: checkpoints.digest(workspace / folder) for name, folder in paths.checkpoints(standin.STUDY, SEED).items()
    }
    assert len(set(found.checkpoints.values())) == 3
    assert found.decoding["beams"] == 2
    assert found.rouge["resamples"] == 50


def test_every_model_is_on_every_test_set_with_its_reference_points(workspace):
    found = schemas.read(workspace / FOLDER / "results.json", schemas.Evaluation)
    assert set(found.datasets) == {"news", "dialogue"}
    for part in found.datasets.values():
        assert part.n == 5
        assert set(part.models) == set(scale.MODELS)
        assert set(part.reference_points) == {"lead_1", "other_summary"}


def test_rows_recompute_the_results(workspace):
    found = schemas.read(workspace / FOLDER / "results.json", schemas.Evaluation)
    named = {
        "evaluation_results.json": workspace / FOLDER / "results.json",
        "evaluation_examples.csv": workspace / FOLDER / "examples.csv",
        "reference_points.csv": workspace / FOLDER / "reference_points.csv",
    }
    rows = examples.read(
        named["evaluation_examples.csv"], tasks.of("t5_experiments").columns["evaluation_examples.csv"]
    )
    points = examples.read(named["reference_points.csv"], tasks.of("t5_experiments").columns["reference_points.csv"])
    assert len(rows) == 2 * 3 * 5
    examples.check_evaluation(found, rows, points, named)


def test_columns_are_in_the_agreed_order(workspace):
    with (workspace / FOLDER / "examples.csv").open() as file:
        assert tuple(next(csv.reader(file))) == tasks.of("t5_experiments").columns["evaluation_examples.csv"]


def test_the_record_names_inputs_outputs_and_parameters(workspace):
    record = files.read_json(workspace / FOLDER / "record.json")
    assert record["identity"] == {"study": standin.STUDY, "seed": SEED}
    assert set(record["params"]["scales/standin.yaml"]) == {f"{standin.STUDY}.compute", f"{standin.STUDY}.evaluate"}
    assert len(record["inputs"]) == 5
    assert {name.rsplit("/", 1)[1] for name in record["outputs"]} == {
        "results.json",
        "examples.csv",
        "reference_points.csv",
    }
    # A stage that knew the schemas would be stale whenever a table is changed.
    assert not [name for name in record["code"] if "evidence" in name]


def test_a_missing_checkpoint_is_an_error_and_nothing_is_written(tmp_path, monkeypatch):
    standin.workspace(tmp_path, SEED)
    (tmp_path / paths.checkpoints(standin.STUDY, SEED)["baseline"] / checkpoints.WEIGHTS).unlink()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["x", "--study", standin.STUDY, "--scale", "standin", "--seed", str(SEED)])
    # This process has loaded the checkout's code, not the workspace's copy.
    monkeypatch.setattr("mono_s2s.record.loaded_code", lambda root: {})
    with pytest.raises(files.BadInput, match=r"baseline/checkpoint/model.safetensors: missing"):
        evaluate.main()
    assert not (tmp_path / FOLDER).exists()


def test_json_holds_no_path_host_or_time(workspace):
    text = (workspace / FOLDER / "results.json").read_text()
    assert str(workspace) not in text
    assert json.loads(text).keys() == schemas.Evaluation.model_fields.keys()
