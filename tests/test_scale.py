"""Scale files: everything in them is typed, and what is wrong is named by its path."""

import copy
from pathlib import Path

import pytest
import yaml

from mono_s2s import scale
from mono_s2s.files import BadInput

ROOT = Path(__file__).resolve().parents[1]
SCALES = sorted(path.stem for path in (ROOT / "scales").glob("*.yaml"))
DELETE = object()


@pytest.fixture
def folder(tmp_path):
    content = yaml.safe_load((ROOT / "scales/demo.yaml").read_text())

    def write(key: str, value) -> Path:
        changed = copy.deepcopy(content)
        *steps, last = key.split(".")
        node = changed["t5_experiments"]
        for step in steps:
            node = node[step]
        if value is DELETE:
            del node[last]
        else:
            node[last] = value
        (tmp_path / "scales").mkdir(exist_ok=True)
        (tmp_path / "scales/demo.yaml").write_text(yaml.safe_dump(changed))
        return tmp_path

    return write


@pytest.mark.parametrize("name", SCALES)
def test_every_scale_file_is_well_formed_and_has_a_data_card(name):
    scale.load_scale(name, ROOT)
    assert (ROOT / "data" / name / "README.md").is_file()


def test_every_size_of_model_takes_steps_of_the_same_size():
    optimizations = {}
    for name in SCALES:
        study = scale.load_scale(name, ROOT).foundation_llm_experiments
        if study is not None and study.standard.kind == "pretrained":
            optimizations[name] = study.train.optimization
            assert study.corpus.tokenizer.name == study.standard.name
            assert study.corpus.tokenizer.revision == study.standard.revision
            assert study.compute.precision == "bf16"
            assert study.train.optimization.gradient_checkpointing
    assert set(optimizations) == {"paper", "pythia-2.8b", "pythia-6.9b", "llama-3.2-1b", "qwen2.5-1.5b"}
    assert {found.batch_size * found.accumulation for found in optimizations.values()} == {32}
    # All but how a step is divided is the same.
    alike = {
        found.model_copy(update={"batch_size": 1, "accumulation": 1}).model_dump_json()
        for found in optimizations.values()
    }
    assert len(alike) == 1


def test_every_size_of_model_reads_the_same_rows():
    sources = set()
    for name in SCALES:
        study = scale.load_scale(name, ROOT).foundation_llm_experiments
        if study is not None and study.corpus.source.kind == "hub":
            sources.add(study.corpus.source.model_dump_json())
            test, attacked = study.corpus.source.test["pile"], study.corpus.source.attack_evaluation
            assert test.skip + test.limit <= attacked.skip
    assert len(sources) == 1


def test_toy_demo_and_paper_are_there():
    assert {"toy", "demo", "paper"} <= set(SCALES)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.optimization.epoch", 3, "t5_experiments.train.optimization.epoch: Extra inputs are not permitted"),
        ("train.optimization.epochs", DELETE, "t5_experiments.train.optimization.epochs: Field required"),
        (
            "train.optimization.epochs",
            "three",
            "t5_experiments.train.optimization.epochs: Input should be a valid integer, not 'three'",
        ),
        (
            "train.optimization.epochs",
            0,
            "t5_experiments.train.optimization.epochs: Input should be greater than 0, not 0",
        ),
        (
            "train.optimization.learning_rate",
            "5e-5",
            "t5_experiments.train.optimization.learning_rate: Input should be a valid number, not '5e-5'",
        ),
        (
            "train.optimization.warmup_ratio",
            1.5,
            "t5_experiments.train.optimization.warmup_ratio: Input should be less than or equal to 1, not 1.5",
        ),
        (
            "train.optimization.learning_rate",
            float("nan"),
            "t5_experiments.train.optimization.learning_rate: Input should be",
        ),
        ("corpus.source.kind", "internet", "t5_experiments.corpus.source: "),
        ("corpus.source.train", -1, "t5_experiments.corpus.source.train: Input should be greater than 0, not -1"),
        ("uat.trigger_tokens", 4000, "t5_experiments: uat.trigger_tokens leaves no room"),
        ("compute.precision", "bf16", "t5_experiments: compute.precision bf16 is for device cuda"),
    ],
)
def test_a_bad_value_is_named_by_its_path(folder, key, value, message):
    root = folder(key, value)
    with pytest.raises(BadInput) as caught:
        scale.load_scale("demo", root)
    assert str(caught.value).startswith(f"scales/demo.yaml: {message}")
    assert "\n" not in str(caught.value)


def test_an_unknown_scale_names_those_that_are_there(folder):
    root = folder("train.optimization.epochs", 1)
    with pytest.raises(BadInput, match=r"scale: 'big' is not one of demo \(files in scales/\)"):
        scale.load_scale("big", root)


def test_not_yaml(folder):
    root = folder("train.optimization.epochs", 1)
    (root / "scales/demo.yaml").write_text("a: [1\n")
    with pytest.raises(BadInput, match=r"scales/demo\.yaml: not valid YAML") as caught:
        scale.load_scale("demo", root)
    assert "\n" not in str(caught.value)


def test_tracked_parameters_have_the_form_of_dvc_lock():
    found = scale.tracked("demo", ["t5_experiments.compute", "t5_experiments.evaluate.decoding"], ROOT)
    assert list(found) == ["scales/demo.yaml"]
    assert found["scales/demo.yaml"]["t5_experiments.compute"]["threads"] == 1
    assert "beams" in found["scales/demo.yaml"]["t5_experiments.evaluate.decoding"]
