import csv
import json

import pytest
import standin

from mono_s2s import files, paths, scale
from mono_s2s.evidence import examples, tasks
from mono_s2s.models import checkpoints
from stages import evaluate

SEED = 7
FOLDER = paths.seed(standin.STUDY, SEED) / "evaluate"
SETS = {standin.STUDY: {"news", "dialogue"}, standin.TEXT_STUDY: {"text"}}
POINTS = {standin.STUDY: {"lead_1", "other_summary"}, standin.TEXT_STUDY: {"unigram"}}


@pytest.fixture(scope="module", params=standin.KINDS)
def study(request):
    return request.param


@pytest.fixture(scope="module")
def workspace(study, tmp_path_factory):
    path = standin.workspace(tmp_path_factory.mktemp("evaluate"), SEED, study)
    done = standin.run_stage("evaluate", path, SEED, study)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def folder(study, workspace):
    return workspace / paths.seed(study, SEED) / "evaluate"


@pytest.fixture(scope="module")
def found(study, folder):
    return tasks.of(study).files["evaluation_results.json"].model_validate(files.read_json(folder / "results.json"))


def test_results_say_which_run_they_are_and_how_they_were_made(study, workspace, found):
    assert (found.stage, found.study, found.scale, found.seed) == ("evaluate", study, "standin", SEED)
    assert found.data_digest == "d" * 64
    assert found.checkpoints == {
        name: checkpoints.digest(workspace / place) for name, place in paths.checkpoints(study, SEED).items()
    }
    assert len(set(found.checkpoints.values())) == 3
    if study == standin.STUDY:
        assert found.decoding["beams"] == 2
    else:
        assert found.multiple_choice is None
    made = found.rouge if study == standin.STUDY else found.scoring
    assert (made["resamples"], made["limit"], made["confidence"]) == (50, 5, 0.95)


def test_every_model_is_on_every_test_set_with_its_reference_points(study, found):
    assert set(found.datasets) == SETS[study]
    for part in found.datasets.values():
        assert part.n == 5
        assert set(part.models) == set(scale.MODELS)
        assert set(part.reference_points) == POINTS[study]


def test_rows_recompute_the_results(study, folder, found):
    named = {
        "evaluation_results.json": folder / "results.json",
        "evaluation_examples.csv": folder / "examples.csv",
        "reference_points.csv": folder / "reference_points.csv",
    }
    columns = tasks.of(study).columns
    tables = {name: examples.read(named[name], columns[name]) for name in list(named)[1:]}
    assert len(tables["evaluation_examples.csv"]) == len(SETS[study]) * 3 * 5
    examples.check_evaluation(found, *tables.values(), named)
    for name in tables:
        with named[name].open() as file:
            assert tuple(next(csv.reader(file))) == columns[name]


def test_the_record_names_inputs_outputs_and_parameters(study, folder):
    record = files.read_json(folder / "record.json")
    assert record["identity"] == {"study": study, "seed": SEED}
    assert set(record["params"]["scales/standin.yaml"]) == {f"{study}.compute", f"{study}.evaluate"}
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


def test_json_holds_no_path_host_or_time(workspace, folder, found):
    text = (folder / "results.json").read_text()
    assert str(workspace) not in text
    assert json.loads(text).keys() == type(found).model_fields.keys()
