"""mono checklist: each answer stands in the file that it names, and what no file says is left open."""

import json
import re
import shutil
from pathlib import Path

import pytest
from made_up import STUDIES, STUDY, TEXT
from studies import ROOT, SEEDS, change
from typer.testing import CliRunner

from mono_s2s.cli import app
from mono_s2s.evidence import checklist, checklist_assets

# Files that the made-up study does not have.
TOP = ("README.md", "Makefile", "CITATION.cff")
SUMMARY = Path(f"experiment_results/{TEXT}/aggregated/all_seeds_summary.json")


@pytest.fixture
def paper(study):
    for name in TOP:
        shutil.copy(ROOT / name, study / name)
    return study


def run(*arguments, ok=True):
    done = CliRunner().invoke(app, ["checklist", *arguments])
    assert (done.exit_code == 0) is ok, done.output
    return done.output


def question(number):
    return next(one for one in checklist.questions() if one.number == number)


def texts(number):
    return [answer.text for answer in question(number).answers]


def resolve(content, steps):
    """Everything that a pointer leads to; `*` stands for every key."""
    found = [content]
    for step in steps:
        found = [part for one in found for part in (one.values() if step == "*" else [one[step]])]
    return found


def edit_runs(study, edit):
    for seed in SEEDS:
        change(Path(f"experiment_results/{study}/seed_{seed}/metadata.json"), edit)


def test_every_question_is_asked_once_and_answered_or_left_open(paper):
    asked = checklist.questions()
    assert [one.number for one in asked] == list(range(1, 17))
    assert all(one.answers or one.open for one in asked)


def test_every_answer_is_where_it_says(paper):
    """Each path is there, and each pointer leads to something."""
    for one in checklist.questions():
        for answer in one.answers:
            for part in answer.source.split("; "):
                if part.startswith(("https://", "metadata of the installed ", "Seeds")):
                    continue
                file, *pointers = re.split(r"#|, #", part.removesuffix(", Seeds"))
                paths = sorted(Path().glob(re.sub(r":\d+$", "", file)))
                assert paths, f"{one.title}: {file}"
                for path in paths:
                    for pointer in pointers:
                        if path.suffix == ".json":
                            steps = pointer.removeprefix("/").split("/")
                            assert resolve(json.loads(path.read_text()), steps), f"{one.title}: {part}"


def test_the_seconds_are_those_of_the_records(paper):
    # Made-up stages take 3600.5 s each: five of a run, two that are shared, five runs, two studies.
    said = texts(8)
    assert f"{STUDY}: one run, from training both arms to both attacks: 5.00 h" in said
    assert f"{TEXT}: 5 runs and the shared work: 27.00 h" in said
    assert any(text.startswith("all studies: 54.01 h of wall-clock time") for text in said)
    edit_runs(TEXT, lambda run: run["stages"]["uat"].update(seconds=7200.5))
    assert f"{TEXT}: one run, from training both arms to both attacks: 6.00 h" in texts(8)
    change(
        Path(f"experiment_results/{TEXT}/seed_42/metadata.json"), lambda run: run["stages"]["uat"].update(seconds=1.0)
    )
    assert f"{TEXT}: one run, from training both arms to both attacks: 4.00 h to 6.00 h" in texts(8)


def test_the_machine_is_the_recorded_one(paper):
    assert f"{STUDY}: on a processor with 2 cores, no GPU" in texts(8)
    edit_runs(STUDY, lambda run: run["stages"]["train.baseline"]["hardware"].update(gpu="a GPU"))
    assert f"{STUDY}: on a processor with 2 cores, a GPU and a processor with 2 cores, no GPU" in texts(8)


def test_the_claims_are_the_tests(paper):
    path = Path(f"experiment_results/{STUDY}/aggregated/statistical_tests.json")
    tests = json.loads(path.read_text())["tests"]
    said = {answer.source.rpartition("/")[2]: answer.text for answer in question(1).answers if STUDY in answer.source}
    assert set(said) >= set(tests)
    name = "hotflip.delta_nll_per_token"
    assert f"{tests[name]['mean']:.4f}".replace("-", "−") in said[name]
    assert "nats per token" in said[name]
    assert "does not reject equality" in said[name]
    assert "could not have, whatever the data (underpowered)" in said[name]
    change(path, lambda content: content["tests"][name].update(rejected=True, underpowered=False, p_holm=0.0001))
    after = next(answer.text for answer in question(1).answers if answer.source == f"{path.as_posix()}#/tests/{name}")
    assert "the test rejects equality (Holm-adjusted p < 0.001)" in after
    assert "(underpowered)" not in after


def test_what_varies_between_seeds(paper):
    said = texts(7)
    for study in STUDIES:
        assert f"{study}: standard: one checkpoint in 5 runs" in said
        assert f"{study}: monotonic: 5 different checkpoints in 5 runs" in said
    assert any("training seeds 42, 1337, 2024, 8888 and 12345" in text for text in said)


def test_generated_data_and_models_from_scratch_have_no_licence_of_others(paper):
    assert not [text for text in question(12).open if text.startswith(STUDIES)]
    assert f"{STUDY}: no data of others: the corpus is generated, under MIT like the code" in texts(12)
    assert f"{TEXT}: no model of others: the standard model is trained from scratch" in texts(12)


def test_data_and_models_of_the_hub_are_left_to_the_authors(paper):
    def hub(run):
        run["hyperparameters"]["corpus"]["source"] = {
            "kind": "hub",
            "train": [{"name": "a/set", "revision": "c" * 40}, {"name": "another/set", "revision": None}],
        }
        run["hyperparameters"]["standard"] = {"kind": "pretrained", "name": "a/model", "revision": "d" * 40}

    edit_runs(STUDY, hub)
    left = question(12).open
    assert f"{STUDY}: licence of a/set at revision {'c' * 40}: look it up and cite it." in left
    assert f"{STUDY}: licence of another/set at revision not pinned: look it up and cite it." in left
    assert f"{STUDY}: licence of a/model: look it up and cite it." in left
    assert any("a/set" in text for text in texts(5))


@pytest.mark.parametrize(
    ("scale", "says", "line"), [("shakespeare", "the plays are in the public domain.", 4), ("dialogsum", None, None)]
)
def test_the_card_of_local_files_is_quoted_or_found_silent(paper, scale, says, line):
    shutil.copytree(ROOT / "data" / scale, paper / "data" / scale)
    edit_runs(TEXT, lambda run: run["hyperparameters"]["corpus"].update(source={"kind": "files", "files": []}))
    change(
        Path(f"experiment_results/{TEXT}/aggregated/all_seeds_summary.json"),
        lambda summary: summary.update(scale=scale),
    )
    asked = question(12)
    card = f"data/{scale}/README.md"
    quoted = [(answer.text, answer.source) for answer in asked.answers if answer.source.startswith(card)]
    silent = f"{TEXT}: licence of the files of `{card}`, which says nothing of it."
    if says:
        assert quoted == [(f"{TEXT}: {says}", f"{card}:{line}")]
        assert says.split()[0] in (paper / card).read_text().splitlines()[line - 1]
    assert (silent in asked.open) is not bool(says)
    assert any(answer.source.startswith(card) for answer in question(5).answers)
    (paper / card).unlink()
    assert run(ok=False).startswith(f"error: {card}: missing: every scale has a card")


def test_licences_of_packages_are_their_own_words(paper):
    edit_runs(STUDY, lambda run: run["stages"]["uat"]["versions"].update({"not-a-package-of-anyone": "1.0"}))
    asked = question(12)
    licence, installed = checklist_assets._licence("torch")
    (found,) = [answer for answer in asked.answers if answer.text.startswith("software: torch ")]
    assert found.text == f"software: torch 2.13.0: {licence}"
    assert found.source.endswith(f"metadata of the installed torch {installed}")
    assert "Licence of not-a-package-of-anyone 1.0: its package is not installed here, or does not say." in asked.open


def test_no_run_answers_what_only_authors_know(paper):
    for number in (3, 9, 10, 11, 14, 15, 16):
        asked = question(number)
        assert not asked.answers
        assert asked.open


def test_the_command(paper, tmp_path):
    text = run()
    assert text.startswith("# Paper checklist\n")
    assert len(re.findall(r"(?m)^## \d+\. ", text)) == 16
    assert run() == text
    said = run("--output", "build/checklist.md")
    assert Path("build/checklist.md").read_text() == text
    assert said == f"build/checklist.md: {text.count('- **Open:**')} answers left to the authors\n"
    change(SUMMARY, lambda summary: summary.pop("budget"))
    assert run(ok=False).splitlines() == [
        "error: experiment_results: a summary is not as it should be ('budget'): run `dvc repro`"
    ]
    shutil.rmtree(f"experiment_results/{TEXT}/seed_1337")
    assert run(ok=False) == f"error: experiment_results/{TEXT}/seed_1337/metadata.json: missing\n"
