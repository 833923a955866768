"""One run under several names."""

import json
import shutil
from pathlib import Path

import papers
import pytest
from typer.testing import CliRunner

from mono_s2s.cli import app
from mono_s2s.evidence import duplicates
from mono_s2s.files import BadInput

OURS = Path(__file__).resolve().parents[2] / "experiment_results" / "t5_experiments"


@pytest.fixture
def study(tmp_path):
    """Our committed seeds, to be tampered with."""
    for seed in (42, 1337, 2024):
        shutil.copytree(OURS / f"seed_{seed}", tmp_path / f"seed_{seed}")
    return tmp_path


def names(places):
    return [place.rpartition("/seed_")[2] for place in places]


def rewrite(path, **changed):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changed}, indent=4))


def test_our_runs_are_different_runs(study):
    found = duplicates.find([study])
    assert duplicates.exit_code(found) == 0
    # The corpus is the same for all, and so is what only depends on it.
    assert {entry["files"][0].rpartition("/")[2] for entry in found["shared"]} == {
        "data_statistics.json",
        "reference_points.csv",
    }


def test_the_committed_studies_hold_no_run_twice():
    found = duplicates.find([OURS.parent])
    assert duplicates.exit_code(found) == 0, list(duplicates.lines(found))
    assert len(found["runs"]) >= 10


@pytest.mark.parametrize("count", [2, 3])
def test_a_copied_run_is_found_whatever_its_seed_says(study, count):
    if count == 2:
        shutil.rmtree(study / "seed_1337")
    shutil.rmtree(study / "seed_2024")
    shutil.copytree(study / "seed_42", study / "seed_2024")
    for path in (study / "seed_2024").glob("*.json"):
        rewrite(
            path, seed=2024, training_seed=2024, timestamp="2026-01-01 00:00:00", checkpoint="f" * 64, wall_seconds=1.5
        )
    found = duplicates.find([study])
    assert [names(group) for group in found["same_runs"]] == [["2024", "42"]]
    assert duplicates.exit_code(found) == 1


def test_a_copied_file_is_found(study):
    shutil.copy(study / "seed_42/hotflip_results.json", study / "seed_1337/hotflip_results.json")
    rewrite(study / "seed_1337/hotflip_results.json", seed=1337)
    found = duplicates.find([study])
    assert [names(entry["files"]) for entry in found["same_files"]] == [
        ["1337/hotflip_results.json", "42/hotflip_results.json"]
    ]
    assert found["same_runs"] == []


def test_three_copies_are_one_run(tmp_path):
    for seed in (1, 2, 3):
        (tmp_path / f"seed_{seed}").mkdir()
        text = json.dumps({"seed": seed, "loss": 2.4276514, "rouge": 0.3257785, "perplexity": 27.17961})
        (tmp_path / f"seed_{seed}/results.json").write_text(text)
    found = duplicates.find([tmp_path])
    assert [names(group) for group in found["same_runs"]] == [["1", "2", "3"]]


def test_numbers_that_were_chosen_make_no_copy(tmp_path):
    for seed in (1, 2):
        (tmp_path / f"seed_{seed}").mkdir()
        (tmp_path / f"seed_{seed}/setup.json").write_text(
            json.dumps({"seed": seed, "rate": 5e-5, "batch": 32, "share": 0.5})
        )
    assert duplicates.exit_code(duplicates.find([tmp_path])) == 0


def test_the_published_runs_share_their_monotonic_training():
    found = duplicates.find([papers.published()])
    assert [entry["numbers"] for entry in found["same_lists"]] == [7, 7]
    assert {place.rpartition(": ")[2] for entry in found["same_lists"] for place in entry["places"]} == {
        "/train_losses",
        "/val_losses",
    }
    assert (found["same_runs"], found["same_files"]) == ([], [])
    assert duplicates.exit_code(found) == 1


def test_one_run_alone_is_refused(study):
    with pytest.raises(BadInput, match="one run alone"):
        duplicates.find([study / "seed_42"])


def test_the_command_says_it_and_exits_with_it(study):
    runner = CliRunner()
    done = runner.invoke(app, ["duplicates", str(study)])
    assert done.exit_code == 0
    assert "3 runs, no two of them the same" in done.output
    shutil.rmtree(study / "seed_2024")
    shutil.copytree(study / "seed_42", study / "seed_2024")
    done = runner.invoke(app, ["duplicates", str(study)])
    assert done.exit_code == 1
    assert "one run under 2 names" in done.output
    done = runner.invoke(app, ["duplicates", str(study), "--json"])
    assert len(json.loads(done.output)["same_runs"]) == 1
    assert runner.invoke(app, ["duplicates", str(study / "nowhere")]).exit_code == 2
