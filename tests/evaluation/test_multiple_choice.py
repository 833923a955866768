"""Against the harness itself where it is installed; an own task, so that nothing is fetched."""

import importlib.util
import json
import sys

import numpy as np
import pytest
import standin

from mono_s2s.evaluation import multiple_choice
from mono_s2s.evidence import schemas
from mono_s2s.files import BadInput
from mono_s2s.models import losses
from mono_s2s.scale import MultipleChoice

MISSING = [name for name in ("lm_eval", "accelerate") if importlib.util.find_spec(name) is None]
installed = pytest.mark.skipif(bool(MISSING), reason=f"the extra harness is not installed: no {', '.join(MISSING)}")

TASK = """
task: {name}
dataset_path: json
dataset_kwargs:
  data_files: {{test: {data}}}
test_split: test
output_type: {kind}
doc_to_text: "{{{{context}}}}"
doc_to_choice: choices
doc_to_target: {target}
metric_list:
  - metric: {metric}
    aggregation: mean
    higher_is_better: true
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("choices") / "data"
    standin.write_text_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def questions():
    """Contexts of three words, two or three choices of one to three words, any of them right."""
    random = np.random.default_rng(4)
    made = []
    for number in range(12):
        choices = [standin.text(standin.document(random, int(random.integers(1, 4)))) for _ in range(2 + number % 2)]
        made.append(
            {
                "context": standin.text(standin.document(random, 3)),
                "choices": choices,
                "gold": int(random.integers(len(choices))),
            }
        )
    return made


@pytest.fixture(scope="module")
def tasks(tmp_path_factory, questions):
    folder = tmp_path_factory.mktemp("tasks")
    file = folder / "questions.jsonl"
    file.write_text("".join(json.dumps(question) + "\n" for question in questions))
    choice = {"kind": "multiple_choice", "target": "gold", "metric": "acc"}
    (folder / "own.yaml").write_text(TASK.format(name="own_questions", data=file, **choice))
    (folder / "lost.yaml").write_text(TASK.format(name="own_lost", data=folder / "nowhere.jsonl", **choice))
    text = {"kind": "loglikelihood", "target": "context", "metric": "perplexity"}
    (folder / "text.yaml").write_text(TASK.format(name="own_text", data=file, **text))
    return folder


def wanted(tasks, *names, **options):
    return MultipleChoice(tasks=list(names), folder=str(tasks), batch_size=4, **options)


@installed
def test_outcomes_are_those_of_choices_scored_by_our_own_losses(data, tasks, questions, tmp_path):
    models = {"standard": standin.decoder(), "baseline": standin.decoder(1), "monotonic": standin.decoder(2)}
    found = multiple_choice.accuracies(models, data, wanted(tasks, "own_questions"))
    schemas.validate(found, schemas.MultipleChoice, tmp_path)
    part = found["tasks"]["own_questions"]
    assert (part["n"], part["metric"]) == (12, "acc")
    encoding, _ = standin.corpus(data, standin.TEXT_STUDY)
    ids = dict(zip((*standin.SPECIAL, *standin.WORDS), range(standin.VOCABULARY), strict=True))
    for name, model in models.items():
        right = ""
        for question in questions:
            # Neither start token nor end: the context as it is, each choice behind it.
            context = [ids[word] for word in question["context"].split()]
            targets = [[ids[word] for word in choice.split()] for choice in question["choices"]]
            nats, _ = losses.nll(model, [context] * len(targets), targets, encoding, standin.COMPUTE, 4)
            right += str(int(nats.argmin() == question["gold"]))
        assert part["models"][name]["outcomes"] == right
        assert part["models"][name]["accuracy"] == right.count("1") / 12
        assert "0" in right
        assert "1" in right
    assert len({part["models"][name]["outcomes"] for name in models}) > 1
    first = multiple_choice.accuracies({"standard": models["standard"]}, data, wanted(tasks, "own_questions", limit=5))
    limited = first["tasks"]["own_questions"]["models"]["standard"]["outcomes"]
    assert limited == part["models"]["standard"]["outcomes"][:5]
    assert first["tasks"]["own_questions"]["questions"] != part["questions"]


@installed
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_lost", r"the data of own_lost cannot be had .*: check the network, or the task's file"),
        ("own_text", r"own_text has no acc of 0 or 1 for every example"),
        ("no_such_task", r"'no_such_task' is no single task of lm-evaluation-harness"),
    ],
)
def test_what_cannot_be_asked_is_one_line(data, tasks, name, message):
    with pytest.raises(BadInput, match=message) as error:
        multiple_choice.accuracies({"standard": standin.decoder()}, data, wanted(tasks, name))
    assert "\n" not in str(error.value)


@installed
def test_a_folder_that_is_none_is_an_error(data, tmp_path):
    with pytest.raises(BadInput, match=r"multiple_choice.folder: .* is no folder"):
        multiple_choice.accuracies({}, data, wanted(tmp_path / "none", "own_questions"))


def test_without_the_extra_it_says_what_to_install(data, tasks, monkeypatch):
    # None in sys.modules is what an import of a missing package meets.
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(BadInput, match=r"needs lm-evaluation-harness .* pip install 'mono-s2s\[harness\]'"):
        multiple_choice.accuracies({"standard": standin.decoder()}, data, wanted(tasks, "own_questions"))
