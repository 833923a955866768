import csv

import pytest
import standin

from mono_s2s import files, paths, scale, seeds
from mono_s2s.evidence import examples, schemas, tasks
from mono_s2s.models import checkpoints
from stages import hotflip

SEED = 7
FOLDER = paths.seed(standin.STUDY, SEED) / "hotflip"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    path = standin.workspace(tmp_path_factory.mktemp("hotflip"), SEED)
    done = standin.run_stage("hotflip", path, SEED)
    assert done.returncode == 0, done.stderr
    return path


def test_results_keep_to_the_schema_and_say_which_run_they_are(workspace):
    found = schemas.read(workspace / FOLDER / "results.json", schemas.Hotflip)
    assert (found.stage, found.study, found.scale, found.seed) == ("hotflip", standin.STUDY, "standin", SEED)
    assert found.attack_seed == seeds.attack_seed(SEED) != SEED
    assert found.data_digest == "d" * 64
    assert len(set(found.checkpoints.values())) == 3
    assert set(found.models) == set(scale.MODELS)
    assert found.n == 10
    assert found.attack["flips"] == 3
    assert found.attack["decoding"]["beams"] == 2


def test_rows_recompute_the_results(workspace):
    found = schemas.read(workspace / FOLDER / "results.json", schemas.Hotflip)
    named = {
        "hotflip_results.json": workspace / FOLDER / "results.json",
        "hotflip_examples.csv": workspace / FOLDER / "examples.csv",
    }
    rows = examples.read(named["hotflip_examples.csv"], tasks.of("t5_experiments").columns["hotflip_examples.csv"])
    assert len(rows) == 3 * 4 * 10
    examples.check_attack("hotflip", found, rows, named)
    with named["hotflip_examples.csv"].open() as file:
        assert tuple(next(csv.reader(file))) == tasks.of("t5_experiments").columns["hotflip_examples.csv"]


def test_the_record_names_inputs_outputs_and_parameters(workspace):
    record = files.read_json(workspace / FOLDER / "record.json")
    assert record["identity"] == {"study": standin.STUDY, "seed": SEED}
    wanted = {f"{standin.STUDY}.{key}" for key in ("compute", "evaluate.decoding", "hotflip")}
    assert set(record["params"]["scales/standin.yaml"]) == wanted
    assert len(record["inputs"]) == 5
    assert {name.rsplit("/", 1)[1] for name in record["outputs"]} == {"results.json", "examples.csv"}
    assert not [name for name in record["code"] if "evidence" in name]


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("monotonic", r"monotonic/checkpoint/model.safetensors: missing"),
        ("attack_evaluation", r"attack_evaluation.jsonl: empty"),
    ],
)
def test_a_missing_checkpoint_or_an_empty_split_is_an_error(tmp_path, monkeypatch, lost, message):
    standin.workspace(tmp_path, SEED)
    if lost == "monotonic":
        (tmp_path / paths.checkpoints(standin.STUDY, SEED)[lost] / checkpoints.WEIGHTS).unlink()
    else:
        (tmp_path / paths.corpus(standin.STUDY) / "data" / f"{lost}.jsonl").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["x", "--study", standin.STUDY, "--scale", "standin", "--seed", str(SEED)])
    # This process has loaded the checkout's code, not the workspace's copy.
    monkeypatch.setattr("mono_s2s.record.loaded_code", lambda root: {})
    with pytest.raises(files.BadInput, match=message):
        hotflip.main()
    assert not (tmp_path / FOLDER).exists()
