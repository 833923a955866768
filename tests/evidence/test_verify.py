"""Each class of finding by itself, with its line and its exit code; the rest is test_mutations' work."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import made_up
import pytest
import studies
from studies import ROOT
from typer.testing import CliRunner

from mono_s2s import files, paths
from mono_s2s.cli import app
from mono_s2s.evidence.verify import checking, findings

SUMMARY = "experiment_results/t5_experiments/aggregated/all_seeds_summary.json"
TEX = "paper_evidence/table_5_hotflip_attacks.tex"


def lines(root, kind):
    return [finding.line for finding in checking.verify(root).listed() if finding.kind == kind]


def mono(*arguments):
    return CliRunner().invoke(app, ["verify", *arguments])


# What no hash gives away: the run's own files are forged, and every record and lock with them.


def forge(name, edit, study=studies.STUDY):
    """Edit a file that a stage of seed 42 left, and let everything believe it from there on."""
    path = paths.seed(study, 42) / name
    studies.change(path, edit)
    record = path.with_name("record.json")
    studies.change(
        record, lambda content: content.update(outputs={key: files.md5(Path(key)) for key in content["outputs"]})
    )
    studies.collect(Path(), 42, study)
    studies.lock(Path())


def upper_rouge(content):
    content["datasets"]["news"]["models"]["monotonic"]["rouge"]["rougeL"]["upper"] += 0.01


def lower_point(content):
    content["datasets"]["news"]["reference_points"]["lead_1"]["rouge1"]["lower"] -= 0.01


def upper_perplexity(content):
    content["datasets"]["news"]["models"]["baseline"]["perplexity"]["upper"] += 0.01


def lower_unigram(content):
    content["datasets"]["dialogue"]["reference_points"]["unigram"]["perplexity"]["lower"] -= 0.01


def sd_of_lengths(content):
    content["datasets"]["news"]["models"]["baseline"]["reference_lengths"]["sd"] = 1.5


def brevity(content):
    content["datasets"]["news"]["models"]["baseline"]["brevity_penalty"] = 0.9


def ratio(content):
    content["datasets"]["news"]["models"]["baseline"]["length_ratio"] = 1.2


def flips(content):
    content["models"]["monotonic"]["effective_flips"]["attack"] = 4.5


def start_of_the_curve(content):
    content["models"]["monotonic"]["curve"][0]["nll_per_token"] += 0.01


def end_of_the_curve(content):
    content["models"]["baseline"]["curve"][-1]["random_nll_per_token"] += 0.01


def method(content):
    content["rouge"]["interval"] = "by eye"


@pytest.mark.parametrize(
    ("study_name", "name", "edit", "said"),
    [
        (studies.STUDY, "evaluate", upper_rouge, r"datasets\.news\.models\.monotonic\.rougeL\.upper is"),
        (studies.STUDY, "evaluate", lower_point, r"datasets\.news\.reference_points\.lead_1\.rouge1\.lower is"),
        (made_up.TEXT, "evaluate", upper_perplexity, r"datasets\.news\.models\.baseline\.perplexity\.upper is"),
        (made_up.TEXT, "evaluate", lower_unigram, r"dialogue\.reference_points\.unigram\.perplexity\.lower is"),
        (studies.STUDY, "evaluate", sd_of_lengths, r"models\.baseline\.reference_lengths\.sd is 1\.5, but"),
        (studies.STUDY, "evaluate", brevity, r"models\.baseline\.brevity_penalty is 0\.9, but .* give 1\.0"),
        (studies.STUDY, "evaluate", ratio, r"models\.baseline\.length_ratio is 1\.2, but .* give 1\.11"),
        (studies.STUDY, "hotflip", flips, r"models\.monotonic\.effective_flips\.attack is 4\.5, but .* give 5\.0"),
        (studies.STUDY, "hotflip", start_of_the_curve, r"models\.monotonic\.curve\.0\.nll_per_token is"),
        (made_up.TEXT, "hotflip", end_of_the_curve, r"models\.baseline\.curve\.1\.random_nll_per_token is"),
        (studies.STUDY, "evaluate", method, r"rouge\.interval is 'by eye', which nothing here can repeat"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_the_examples_do_not_give(study, study_name, name, edit, said):
    forge(f"{name}/results.json", edit, study_name)
    found = [line for line in lines(Path(), "numbers") if "aggregated" not in line]
    assert len(found) == 1
    where = f"experiment_results/{study_name}/seed_42/{'evaluation' if name == 'evaluate' else name}_results.json: "
    assert found[0].startswith(where)
    assert re.search(said, found[0])


def test_the_kept_epoch_is_the_best(study):
    def worse(content):
        content["best"] = max(content["epochs"], key=lambda epoch: epoch["validation_nll_per_token"])

    forge("baseline/results.json", worse)
    assert [line for line in lines(Path(), "numbers") if "aggregated" not in line] == [
        "experiment_results/t5_experiments/seed_42/baseline_training.json: best is epoch 1, but epoch 2 has the lowest "
        "validation loss: run stage train again"
    ]


def test_an_aggregate_is_not_believed_whatever_follows_from_it(tree):
    """The summary is edited, and everything after it rendered and locked anew by the project's own code."""

    def edit(content):
        content["metrics"]["hotflip.delta_nll_per_token"]["models"]["monotonic"]["mean"] /= 2

    tree.json(SUMMARY, edit)
    rendered = ("paper_evidence/*.json", "paper_evidence/*.tex", "paper_evidence/*.md", "*/*/aggregated/*.tex")
    for name in tree.names(*rendered):
        # To be put back afterwards.
        tree.write(name, tree.read(name))
    for stage in ("tables", "provenance"):
        tree.believe()
        studies.run(tree.root, f"-m stages.{stage}")
    tree.believe()
    found = checking.verify(tree.root)
    (number,) = [finding.line for finding in found.listed() if finding.kind == "numbers"]
    assert number.startswith(
        f"{SUMMARY}: not what the runs give: /metrics/hotflip.delta_nll_per_token/models/monotonic/mean is 0."
    )
    assert {finding.line.split(": ")[0] for finding in found.listed() if finding.kind == "rendering"} >= {
        TEX,
        TEX.replace(".tex", ".json"),
        "experiment_results/t5_experiments/aggregated/paper_ready_tables.tex",
        "README.md",
    }
    assert found.exit_code == 12


@pytest.mark.parametrize("edit", [studies.copied_run, studies.renamed_checkpoints])
def test_two_seeds_that_are_one_run(study, edit):
    studies.refile(1337, edit)
    found = checking.verify()
    assert found.exit_code == 10
    said = [finding.line for finding in found.listed() if finding.kind == "identity"]
    assert any("seed_1337" in line and "seed_42" in line and "they are one run" in line for line in said)


def test_a_relabelled_checkpoint(tree):
    name = "experiment_results/t5_experiments/seed_2024/uat_results.json"
    tree.json(name, lambda content: content["checkpoints"].update(baseline=content["checkpoints"]["monotonic"]))
    (found,) = lines(tree.root, "identity")
    assert found.startswith(f"{name}: checkpoints.baseline is ")
    assert found.endswith("run `dvc repro`")


def test_a_file_against_its_schema(tree):
    name = "experiment_results/t5_experiments/seed_2024/uat_results.json"
    tree.write(name, tree.read(name).replace('"n": 6', '"n": NaN'))
    found = checking.verify(tree.root)
    assert lines(tree.root, "schema")[0].startswith(f"{name}: not valid JSON (NaN is not a number")
    assert found.exit_code == 11


def test_an_edited_table_that_dvc_was_told_to_believe(tree):
    text = tree.read(TEX)
    place = re.search(r"\d\.\d+", text)
    tree.write(TEX, f"{text[: place.start()]}9{text[place.start() + 1 :]}")
    tree.believe()
    found = checking.verify(tree.root)
    (line,) = [finding.line for finding in found.listed()]
    assert re.match(rf"{TEX}: not what the runs give: line \d+ is '.*9\.\d+.*', not '.*': run `dvc repro`$", line)
    assert (found.exit_code, found.by_class()) == (13, {"rendering": 1})


def test_code_that_was_edited_since(tree):
    tree.write("stages/hotflip.py", tree.read("stages/hotflip.py") + "# An edit.\n")
    found = checking.verify(tree.root)
    assert found.exit_code == 14
    assert "stages/hotflip.py: not what stage hotflip of seed 42 ran: run `dvc repro`" in lines(tree.root, "records")


def test_a_lock_that_names_another_template(tree):
    md5 = files.md5(tree.root / "paper_evidence/templates")
    tree.write("paper_evidence/dvc.lock", tree.read("paper_evidence/dvc.lock").replace(md5, "0" * 32 + ".dir"))
    found = checking.verify(tree.root)
    assert found.exit_code == 15
    assert [finding.line for finding in found.listed()] == [
        "paper_evidence/templates: not what stage tables read (paper_evidence/dvc.lock): run `dvc repro`"
    ]


def test_another_selection_than_the_headline(tree):
    tree.write("params.yaml", tree.read("params.yaml").replace("seed: 42", "seed: 1337", 1))
    tree.believe()
    assert lines(tree.root, "hashes") == [
        "metrics.json: is not of experiment_results/t5_experiments/seed_1337, which params.yaml selects: run "
        "`dvc repro`"
    ]


def test_all_findings_are_reported_the_gravest_first(tree):
    tree.write(TEX, tree.read(TEX).replace("5 training seeds", "6 training seeds"))
    tree.remove("experiment_results/t5_experiments/seed_2024/uat_examples.csv")
    tree.json(
        "experiment_results/foundation_llm_experiments/seed_42/final_results.json",
        lambda content: content["metrics"]["hotflip.success"].update(baseline=0.123),
    )
    found = checking.verify(tree.root)
    kinds = [finding.kind for finding in found.listed()]
    assert kinds == sorted(kinds, key=list(findings.CLASSES).index)
    assert set(kinds) == {"schema", "numbers", "rendering", "records", "hashes"}
    text = "\n".join(finding.line for finding in found.listed())
    for name in (TEX, "seed_2024/uat_examples.csv: missing", "foundation_llm_experiments/seed_42/final_results.json"):
        assert name in text
    # One missing file is not a hundred findings.
    assert len(kinds) < 25


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stages/dvc.lock", "stages:\n", "stages: [1]\nother:\n"),
        ("stages/dvc.lock", "    params:\n", "    params: 3\n    others:\n"),
        ("paper_evidence/provenance.json", '"tables": {', '"table": {'),
        ("params.yaml", "seeds:", "seeds: 3\nothers:"),
        ("paper_evidence/specs/table_5.yaml", "columns:", "columns: 3\nothers:"),
        ("scales/demo.yaml", "t5_experiments:", "t6_experiments:"),
        ("README.md", "<!-- end of table -->", ""),
    ],
)
def test_content_that_nobody_foresaw_is_a_finding(tree, name, old, new):
    text = tree.read(name)
    assert old in text
    tree.write(name, text.replace(old, new))
    found = checking.verify(tree.root)
    assert found.exit_code
    assert any(name in finding.line for finding in found.listed())
    assert all("\n" not in finding.line for finding in found.listed())


def test_it_writes_nothing_and_says_the_same_from_anywhere(tree, tmp_path, monkeypatch):
    tree.write(TEX, tree.read(TEX).replace("5 training seeds", "6 training seeds"))
    tree.remove("experiment_results/t5_experiments/seed_2024/uat_results.json")
    before = studies.snapshot(tree.root)
    there = checking.verify(tree.root).content()
    assert studies.snapshot(tree.root) == before
    shutil.copytree(tree.root, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert checking.verify().content() == there
    assert "/tmp" not in json.dumps(there)


def test_at_another_scale_the_readme_is_left_alone(tree):
    """Its table is of the committed runs, at scale demo; at another scale other things are wrong with this tree."""
    tree.write("README.md", tree.read("README.md").replace("<!-- end of table -->", ""))
    assert any(line.startswith("README.md") for line in lines(tree.root, "rendering"))
    tree.write("params.yaml", tree.read("params.yaml").replace("scale: demo", "scale: toy"))
    assert not any(line.startswith("README.md") for line in lines(tree.root, "rendering"))


def test_the_command(tree, monkeypatch):
    monkeypatch.chdir(tree.root)
    done = mono()
    assert done.exit_code == 0
    assert re.match(r"sound: \d+ examples, 140 files, 10 runs, .*\n$", done.output)
    sound = mono("--json")
    assert mono("--json").output == sound.output
    assert json.loads(sound.output)["sound"] is True
    tree.write(TEX, tree.read(TEX).replace("5 training seeds", "6 training seeds"))
    done = mono()
    assert done.exit_code == 13
    assert len(done.output.splitlines()) == 3
    assert done.output.splitlines()[-1].startswith("not sound: 1 rendering, 1 hashes (")
    found = json.loads(mono("--json").output)
    assert (found["sound"], found["exit_code"]) == (False, 13)
    assert [finding["class"] for finding in found["findings"]] == ["rendering", "hashes"]


def test_help_and_readme_say_what_each_exit_code_means():
    shown = " ".join(re.sub(r"[│╭╮╰╯─]", " ", mono("--help").output).split())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for kind, (code, _) in findings.CLASSES.items():
        assert f"{code} {kind}" in shown
        assert re.search(rf"^\| {code} \| {kind} \|", readme, re.MULTILINE)
    assert f"{findings.REPRODUCED} not reproduced" in shown
    assert re.search(rf"^\| {findings.REPRODUCED} \|", readme, re.MULTILINE)
    assert len({code for code, _ in findings.CLASSES.values()} | {0, 1, 2, findings.REPRODUCED}) == 4 + len(
        findings.CLASSES
    )


def test_it_loads_no_torch(tree):
    code = (
        "import sys; from mono_s2s.evidence.verify import checking; found = checking.verify(); "
        "print(found.exit_code, sorted({'torch', 'transformers', 'pandas', 'dvc'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tree.root, capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"
