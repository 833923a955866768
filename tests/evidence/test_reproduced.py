"""Fresh results against committed ones: what may differ, what may not, and by how much."""

import json
import shutil
import subprocess

import pytest
import studies
from typer.testing import CliRunner

from mono_s2s import files
from mono_s2s.cli import app
from mono_s2s.evidence.verify import reproduced
from mono_s2s.files import BadInput

SEED = "experiment_results/t5_experiments/seed_2024"


@pytest.fixture(scope="module")
def committed(_cloned, tmp_path_factory):
    root = tmp_path_factory.mktemp("reproduced") / "checkout"
    shutil.copytree(_cloned.root, root)
    for command in (
        "git init -q -b main",
        "git add -A",
        "git -c user.name=tester -c user.email=tester@example.org commit -qm start",
    ):
        subprocess.run(command.split(), cwd=root, check=True)
    return root


@pytest.fixture
def fresh(committed, monkeypatch):
    monkeypatch.chdir(committed)
    yield committed
    subprocess.run(["git", "checkout", "-q", "."], cwd=committed, check=True)
    subprocess.run(["git", "clean", "-qfd"], cwd=committed, check=True)


def compare(relative=0.0, absolute=0.0, revision="HEAD"):
    return reproduced.compare(revision, reproduced.Tolerance(relative, absolute))


def off(result):
    return [found for found in result.files if not found.same]


def scale_losses(root, factor):
    """Let every loss of one run's HotFlip be off by a factor."""
    path = root / SEED / "hotflip_examples.csv"
    rows = files.read_csv(path)
    for row in rows:
        row["nll_nats"] = repr(float(row["nll_nats"]) * factor)
    files.write_csv(path, list(rows[0]), rows)


def test_the_same_results_are_reproduced(fresh):
    result = compare()
    assert result.exit_code == 0
    assert off(result) == []
    assert sum(found.numbers for found in result.files) > 10000
    names = {found.file for found in result.files}
    assert f"{SEED}/uat_examples.csv" in names
    assert "experiment_results/t5_experiments/aggregated/statistical_tests.json" in names
    assert "paper_evidence/table_7_foundation_models.json" in names
    (line,) = result.lines()
    assert line.startswith(f"reproduced: {len(names)} files, {len(names)} of them equal; ")
    assert line.endswith("(exact)")


def test_times_hosts_and_versions_are_not_compared(fresh):
    def edit(content):
        content.update(timestamp_start="2030-01-01T00:00:00+00:00")
        content["hardware"].update(node="elsewhere")
        content["versions"].update(torch="3.0")

    studies.change(fresh / SEED / "metadata.json", edit)
    studies.append(fresh / SEED / "experiment_log.txt", "on another host\n")
    studies.append(fresh / "experiment_results/RESULTS_README.md", "on another day\n")
    assert compare().exit_code == 0


def test_the_worst_number_of_a_file_is_named(fresh):
    def edit(content):
        content["metrics"]["evaluate.rougeL"]["monotonic"] = 0.5
        content["metrics"]["evaluate.nll_per_token"]["baseline"] *= 1 + 1e-9

    before = files.read_json(fresh / SEED / "final_results.json")["metrics"]["evaluate.rougeL"]["monotonic"]
    studies.change(fresh / SEED / "final_results.json", edit)
    result = compare()
    (found,) = off(result)
    assert (found.file, found.beyond) == (f"{SEED}/final_results.json", 2)
    assert found.worst == {
        "place": "/metrics/evaluate.rougeL/monotonic",
        "there": before,
        "here": 0.5,
        "absolute": pytest.approx(abs(0.5 - before)),
        "relative": pytest.approx(abs(0.5 - before) / max(0.5, before)),
    }
    line, verdict = result.lines()
    assert f"2 beyond the tolerance; worst at /metrics/evaluate.rougeL/monotonic: {before!r} there, 0.5 here" in line
    assert verdict.startswith(f"not reproduced: 1 of {len(result.files)} files are beyond the tolerance; ")


@pytest.mark.parametrize(
    ("relative", "absolute", "code"),
    [(0.0, 0.0, 16), (1e-7, 0.0, 16), (2e-6, 0.0, 0), (0.0, 1e-6, 16), (0.0, 1e-4, 0), (1e-7, 1e-4, 0)],
)
def test_the_tolerance_is_relative_or_absolute(fresh, relative, absolute, code):
    """Losses of some 20 nats, off by a millionth of themselves."""
    scale_losses(fresh, 1 + 1e-6)
    result = compare(relative, absolute)
    assert result.exit_code == code
    worst = next(found.worst for found in result.files if found.worst)
    assert worst["place"].endswith(", nll_nats")
    assert worst["relative"] == pytest.approx(1e-6, rel=1e-3)
    # What is within the tolerance is still said.
    assert len(result.lines()) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [('"target_tokens": 69', '"target_tokens": 70'), ('"seed": 2024', '"seed": 2025'), ("one two three", "one two")],
)
def test_counts_and_texts_must_be_equal_whatever_the_tolerance(fresh, old, new):
    path = fresh / SEED / "uat_results.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    (found,) = off(compare(0.5, 100.0))
    assert found.file == f"{SEED}/uat_results.json"


def test_a_written_text_must_be_equal(fresh):
    path = fresh / SEED / "uat_examples.csv"
    path.write_text(path.read_text().replace("a summary", "another summary", 1))
    (found,) = off(compare(0.5))
    assert found.other == "row 1, prediction: 'a summary' there, 'another summary' here"


def test_other_weights_have_other_digests(fresh):
    """A tolerance is for machines that differ in the last bits; then no checkpoint is the same."""
    for name in ("uat_results.json", "baseline_training.json"):
        content = files.read_json(fresh / SEED / name)
        digest = content["checkpoint"] if "checkpoint" in content else content["checkpoints"]["baseline"]
        path = fresh / SEED / name
        path.write_text(path.read_text().replace(digest, "0" * 64))
    assert len(off(compare())) == 2
    assert off(compare(1e-6)) == []


def test_other_data_is_never_excused(fresh):
    path = fresh / SEED / "uat_results.json"
    digest = files.read_json(path)["data_digest"]
    path.write_text(path.read_text().replace(digest, "0" * 64))
    assert len(off(compare(1e-6))) == 1


def test_a_file_too_many_or_too_few(fresh):
    (fresh / SEED / "uat_results.json").unlink()
    shutil.copy(fresh / SEED / "hotflip_results.json", fresh / SEED / "more_results.json")
    assert {found.file: found.other for found in off(compare())} == {
        f"{SEED}/more_results.json": "the file: nothing there, 'a file' here",
        f"{SEED}/uat_results.json": "the file: 'a file' there, nothing here",
    }


def test_a_row_too_few(fresh):
    path = fresh / SEED / "uat_examples.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    (found,) = off(compare(0.5))
    assert found.others == len(lines[0].split(","))


def test_a_broken_file(fresh):
    (fresh / SEED / "uat_results.json").write_text("{")
    (found,) = off(compare())
    assert found.other.startswith("the file: 'readable' there, 'not readable (")


def test_a_run_of_another_seed_is_not_compared(fresh):
    shutil.copytree(fresh / SEED, fresh / SEED.replace("2024", "7"))
    assert compare().exit_code == 0


@pytest.mark.parametrize(
    ("revision", "relative", "message"),
    [
        ("nowhere", 0.0, "nowhere: no such commit here: name a tag, a branch or a commit of this clone"),
        ("HEAD", -1.0, "relative tolerance: -1.0 is not a distance: give 0 or more"),
        ("HEAD", float("nan"), "relative tolerance: nan is not a distance: give 0 or more"),
    ],
)
def test_what_cannot_be_compared(fresh, revision, relative, message):
    with pytest.raises(BadInput, match=f"^{message}$"):
        compare(relative, revision=revision)


def test_a_commit_without_results(fresh):
    subprocess.run(["git", "rm", "-rq", "--cached", "experiment_results", "paper_evidence"], cwd=fresh, check=True)
    tree = subprocess.run(["git", "write-tree"], cwd=fresh, capture_output=True, text=True, check=True).stdout.strip()
    name = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    made = subprocess.run(
        ["git", *name, "commit-tree", tree, "-m", "empty"], cwd=fresh, capture_output=True, text=True, check=True
    )
    subprocess.run(["git", "reset", "-q"], cwd=fresh, check=True)
    with pytest.raises(BadInput, match=r"holds no results to compare with: name one that does$"):
        compare(revision=made.stdout.strip())


def test_the_command(fresh):
    def mono(*arguments):
        return CliRunner().invoke(app, ["verify", "--reproduced", *arguments])

    assert mono("HEAD").exit_code == 0
    scale_losses(fresh, 1 + 1e-6)
    done = mono("HEAD")
    assert done.exit_code == reproduced.REPRODUCED == 16
    assert len(done.output.splitlines()) == 2
    assert mono("HEAD", "--tolerance", "1e-5").exit_code == 0
    assert mono("HEAD", "--absolute", "0.01").exit_code == 0
    text = mono("HEAD", "--json").output
    assert mono("HEAD", "--json").output == text
    assert json.loads(text)["reproduced"] is False
    done = mono("nowhere")
    assert (done.exit_code, done.output.startswith("error: nowhere: no such commit")) == (1, True)
