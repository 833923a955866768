"""mono export crate: what the zip holds, what it says of it, and what it refuses."""

import hashlib
import json
import subprocess
import zipfile
from pathlib import Path

import crate_contexts
import exporting
import pytest
import studies
import yaml
from exporting import each, git, graph
from made_up import STUDIES, STUDY, checkpoint
from studies import ROOT, SEEDS
from typer.testing import CliRunner

from mono_s2s.cli import app
from mono_s2s.evidence import crate_actions, metadata

OUT = "build/crate.zip"


def export(*arguments, ok=True):
    done = CliRunner().invoke(app, ["export", "crate", OUT, *arguments])
    assert (done.exit_code == 0) is ok, done.output
    return done.output


def refused(*arguments):
    lines = export(*arguments, ok=False).splitlines()
    assert len(lines) == 1, lines
    assert not Path(OUT).exists()
    return lines[0]


@pytest.fixture
def checkout(study):
    return exporting.checkout(study)


@pytest.fixture(scope="module")
def exported(finished_study, tmp_path_factory):
    """The zip of an untouched checkout. Never to be changed."""
    folder = tmp_path_factory.mktemp("crate")
    root = folder / "study"
    studies.shutil.copytree(finished_study, root)
    exporting.checkout(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        export()
    return root / OUT


def action(found, address, workflow="stages/dvc.yaml"):
    return found[f"#run/{workflow}/{address.replace('@', '%40')}"]


def test_each_stage_and_seed_has_its_action_with_the_times_of_its_process(exported):
    found = graph(exported)
    root = exported.parents[1]
    expected = 0
    for study in STUDIES:
        for seed in SEEDS:
            run = json.loads((root / f"experiment_results/{study}/seed_{seed}/metadata.json").read_text())
            for name, record in run["stages"].items():
                stage, _, arm = name.partition(".")
                shared = name in metadata.SHARED
                one = action(found, f"{stage}@{study}" + ("" if shared else f"-{seed}") + (f"-{arm}" if arm else ""))
                assert (one["startTime"], one["endTime"]) == (record["started"], record["ended"])
                assert one["instrument"] == {"@id": f"stages/{stage}.py"}
                assert found[one["resourceUsage"]["@id"]]["value"] == record["seconds"]
                expected += not shared
        expected += len(metadata.SHARED)
    timed = [one for one in found.values() if one["@type"] == "CreateAction" and "startTime" in one]
    assert len(timed) == expected == 54


def test_what_only_the_lock_tells_has_no_times(exported):
    found = graph(exported)
    light = [
        *(action(found, f"collect@{study}-{seed}") for study in STUDIES for seed in SEEDS),
        *(action(found, f"aggregate@{study}", "paper_evidence/dvc.yaml") for study in STUDIES),
        *(action(found, stage, "paper_evidence/dvc.yaml") for stage in exporting.PAPER),
        *(found[f"#run/{name}"] for name in ("dvc.yaml", "stages/dvc.yaml", "paper_evidence/dvc.yaml")),
    ]
    assert not any({"startTime", "endTime", "resourceUsage"} & set(one) for one in light)
    filed = {item["@id"] for item in action(found, f"collect@{STUDY}-42")["result"]}
    assert f"experiment_results/{STUDY}/seed_42/final_results.json" in filed


def test_the_workflow_orchestrates_every_action(exported):
    found = graph(exported)
    actions = {name for name, one in found.items() if one["@type"] == "CreateAction"}
    controlled = {one["object"]["@id"] for one in found.values() if one["@type"] == "ControlAction"}
    assert actions - controlled == {"#run/dvc.yaml"}
    assert controlled <= actions
    assert found["./"]["mainEntity"] == {"@id": "dvc.yaml"}
    steps = {found[item["@id"]]["name"] for item in found["stages/dvc.yaml"]["step"]}
    assert steps == set(yaml.safe_load((ROOT / "stages/dvc.yaml").read_text())["stages"])
    engine = found[found["#orchestration/dvc.yaml"]["instrument"]["@id"]]
    assert engine["name"] == "dvc"


def test_every_file_stands_there_with_its_digest(exported):
    found = graph(exported)
    tracked = set(git(exported.parents[1], "ls-files", "-z").split("\0")) - {""}
    with zipfile.ZipFile(exported) as archive:
        assert set(archive.namelist()) == tracked | {"ro-crate-metadata.json"}
        for name in tracked:
            content = archive.read(name)
            assert found[name]["sha256"] == hashlib.sha256(content).hexdigest()
            assert found[name]["contentSize"] == str(len(content))
    assert {item["@id"] for item in found["./"]["hasPart"]} == tracked
    assert {"params.yaml", "scales/demo.yaml", "stages/dvc.lock", "requirements.lock", "mono_s2s/files.py"} <= tracked


def test_checkpoints_are_digests_only(exported):
    found = graph(exported)
    with zipfile.ZipFile(exported) as archive:
        assert not [name for name in archive.namelist() if name.startswith("runs/")]
    for study in STUDIES:
        for seed in SEEDS:
            for arm in ("baseline", "monotonic"):
                made = {item["@id"] for item in action(found, f"train@{study}-{seed}-{arm}")["result"]}
                path = f"runs/{study}/seed_{seed}/{arm}/checkpoint"
                (weights,) = [found[name] for name in made if name.endswith(path)]
                assert weights["sha256"] == checkpoint(seed, arm, study)
                # The same thing is what the attacks took.
                assert weights["@id"] in {item["@id"] for item in action(found, f"uat@{study}-{seed}")["object"]}


def test_folders_that_stages_read_are_their_files(exported):
    found = graph(exported)
    read = {item["@id"] for item in each(action(found, "tables", "paper_evidence/dvc.yaml")["object"])}
    assert {f"paper_evidence/specs/table_{number}.yaml" for number in range(1, 8)} <= read
    listed = {item["@id"] for item in each(action(found, "index", "paper_evidence/dvc.yaml")["object"])}
    assert f"experiment_results/{STUDY}/seed_42/hotflip_examples.csv" in listed


def test_parameters_are_values_of_formal_parameters(exported):
    found = graph(exported)
    given = {item["@id"] for item in action(found, f"hotflip@{STUDY}-1337")["object"]}
    values = {found[name]["name"]: found[name] for name in given if name.startswith("#value/")}
    scale = yaml.safe_load((ROOT / "scales/demo.yaml").read_text())[STUDY]
    assert values[f"{STUDY}.hotflip.flips"]["value"] == scale["hotflip"]["flips"]
    assert values["seed"]["value"] == "1337"
    formal = values[f"{STUDY}.hotflip.flips"]["exampleOfWork"]
    assert found[formal["@id"]]["additionalType"] == "Integer"
    assert formal in found["stages/hotflip.py"]["input"]
    assert formal in found["stages/dvc.yaml"]["input"]
    assert formal in found["dvc.yaml"]["input"]


def test_software_licence_and_authors(exported):
    found = graph(exported)
    needed = {item["@id"] for item in found["stages/train.py"]["softwareRequirements"]}
    assert needed == {"https://pypi.org/project/torch/2.13.0/", "https://www.python.org/#3.11.2"}
    assert found["https://pypi.org/project/torch/2.13.0/"]["softwareVersion"] == "2.13.0"
    assert found["./"]["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    author = found[found["./"]["author"]["@id"]]
    assert (author["@type"], author["name"]) == ("Organization", "the mono-s2s authors")
    assert found["./"]["datePublished"] == "2026-11-20"


def test_every_name_leads_somewhere(exported):
    found = graph(exported)
    for entity in found.values():
        for name, value in entity.items():
            for item in each(value):
                if isinstance(item, dict):
                    assert item["@id"] in found or name == "conformsTo", f"{entity['@id']}: {name}: {item['@id']}"


def test_every_term_is_one_that_the_contexts_have(exported):
    terms = {term for context in crate_contexts.CONTEXTS.values() for term in context}
    used = {key for entity in graph(exported).values() for key in entity if not key.startswith("@")}
    kinds = {kind for entity in graph(exported).values() for kind in each(entity["@type"])}
    assert used | kinds <= terms


def test_the_same_tree_gives_the_same_bytes(exported, tmp_path, monkeypatch):
    git(tmp_path, "clone", "-q", str(exported.parents[1]), "clone")
    git(tmp_path / "clone", "commit", "-q", "--amend", "-m", "feat: the same tree, another commit")
    monkeypatch.chdir(tmp_path / "clone")
    export()
    assert Path(OUT).read_bytes() == exported.read_bytes()
    with zipfile.ZipFile(OUT) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist() == [archive.namelist()[0], *sorted(archive.namelist()[1:])]


def test_a_dirty_tree(checkout):
    studies.append("README.md", "more\n")
    Path("new.txt").write_text("new\n")
    assert refused() == (
        "error: README.md and 1 more: not as in the last commit: a crate of a dirty tree cannot be made again: commit, "
        "or add --allow-dirty"
    )
    assert "files" in export("--allow-dirty")
    found = graph(OUT)
    assert "new.txt" in found
    assert "differ from the last commit" in found["./"]["description"]
    assert "identifier" not in found["./"]
    # A clean one says which tree it is.
    git(".", "checkout", "-q", ".")
    Path("new.txt").unlink()
    export()
    assert graph(OUT)["./"]["identifier"] == f"git-tree:{git('.', 'rev-parse', 'HEAD^{tree}').strip()}"


def test_the_zip_itself_makes_no_tree_dirty(checkout):
    done = CliRunner().invoke(app, ["export", "crate", "crate.zip"])
    again = CliRunner().invoke(app, ["export", "crate", "crate.zip"])
    assert (done.exit_code, again.exit_code) == (0, 0), again.output
    assert "crate.zip" not in graph("crate.zip")


def test_a_removed_file_is_no_part_of_a_dirty_crate(checkout):
    Path("README.md").unlink()
    export("--allow-dirty")
    assert "README.md" not in graph(OUT)


@pytest.mark.parametrize("study_name", STUDIES)
def test_a_missing_run(checkout, study_name):
    folder = f"experiment_results/{study_name}/seed_1337"
    git(".", "rm", "-rq", folder)
    exporting.commit(".")
    assert refused() == f"error: {folder}: no run is filed here: a crate holds every run of the paper: run `dvc repro`"


def test_a_missing_result(checkout):
    path = f"experiment_results/{STUDY}/seed_42/uat_examples.csv"
    git(".", "rm", "-q", path)
    exporting.commit(".")
    assert refused().startswith(f"error: {path}: missing, stages/dvc.lock says that collect@{STUDY}-42 wrote it")


def test_what_a_light_stage_leaves_and_git_ignores_is_a_digest(checkout):
    lock = Path("paper_evidence/dvc.lock")
    content = studies.from_yaml(lock)
    pdf = {"path": "paper_evidence/paper.pdf", "hash": "md5", "md5": "0" * 32}
    content["stages"]["tables"]["outs"].append(pdf)
    lock.write_text(studies.to_yaml(content))
    exporting.commit(".")
    export()
    found = graph(OUT)
    (made,) = [
        found[item["@id"]]
        for item in action(found, "tables", "paper_evidence/dvc.yaml")["result"]
        if item["@id"].endswith(pdf["path"])
    ]
    assert (made["md5"], made["description"]) == (pdf["md5"], "File, not in this crate; MD5 as in dvc.lock")


@pytest.mark.parametrize("more", [(), ("--allow-dirty",)])
@pytest.mark.parametrize(
    ("path", "lock"),
    [
        (f"experiment_results/{STUDY}/seed_42/final_results.json", "stages/dvc.lock"),
        ("paper_evidence/table_5_hotflip_attacks.tex", "paper_evidence/dvc.lock"),
    ],
)
def test_an_edited_result_is_never_said_to_be_a_stages(checkout, path, lock, more):
    studies.append(path, " ")
    if not more:
        exporting.commit(".")
    line = refused(*more)
    assert line.startswith(f"error: {path}: edited after ")
    assert lock in line


def test_code_that_has_changed_since_is_named_by_digest(checkout):
    run = json.loads(Path(f"experiment_results/{STUDY}/seed_42/metadata.json").read_text())
    before = run["stages"]["train.baseline"]["code"]["stages/train.py"]
    studies.append("stages/train.py", "# later\n")
    exporting.commit(".")
    export()
    found = graph(OUT)
    one = action(found, f"train@{STUDY}-42-baseline")
    assert "1 source files differ from those of this crate" in one["description"]
    (old,) = [found[item["@id"]] for item in one["object"] if item["@id"].endswith("/stages/train.py")]
    assert old["md5"] == before
    assert "another version" in old["description"]
    assert "differ" not in action(found, f"uat@{STUDY}-42")["description"]


def test_runs_that_disagree_on_what_they_share(checkout):
    path = f"experiment_results/{STUDY}/seed_2024/metadata.json"
    studies.change(Path(path), lambda run: run["stages"]["corpus"].update(started="2026-11-19T10:00:00+00:00"))
    assert (
        refused("--allow-dirty") == f"error: {path}: stages: corpus@{STUDY} is not what other runs say: run `dvc repro`"
    )


def test_only_a_zip_is_written(checkout):
    before = Path("README.md").read_bytes()
    done = CliRunner().invoke(app, ["export", "crate", "README.md"])
    assert done.output == "error: README.md: a crate is a zip: name a file that ends in .zip\n"
    assert Path("README.md").read_bytes() == before


def test_another_seed_that_is_filed_has_its_actions_too(study):
    for name in STUDIES:
        studies.leave(study, 7, name)
        studies.collect(study, 7, name)
    studies.lock(study, [*SEEDS, 7])
    exporting.checkout(study)
    export()
    assert action(graph(OUT), f"train@{STUDY}-7-monotonic")["startTime"]


def test_what_cannot_be_a_crate_is_one_line(study):
    assert "git status: fatal: not a git repository" in refused()
    exporting.checkout(study)
    for name, start in (
        ("CITATION.cff", "error: CITATION.cff: missing"),
        ("stages/dvc.lock", "error: stages/dvc.lock: missing"),
        ("paper_evidence/dvc.yaml", "error: paper_evidence/dvc.yaml: missing"),
    ):
        content = Path(name).read_bytes()
        Path(name).unlink()
        assert refused("--allow-dirty").startswith(start)
        Path(name).write_bytes(content)


@pytest.mark.parametrize("workflow", [crate_actions.MAIN, *crate_actions.NESTED])
def test_a_steps_position_is_after_those_it_needs(workflow):
    """Stages are listed in the order in which they run: DVC does not ask for that, positions do."""
    stages = yaml.safe_load((ROOT / workflow).read_text())["stages"]

    def names(items):
        return [next(iter(item)) if isinstance(item, dict) else item for item in items]

    made = {}
    for place, stage in enumerate(stages.values()):
        for path in names([*stage.get("outs", []), *stage.get("metrics", [])]):
            made[path.replace("${item.arm}", "baseline")] = place
    for place, stage in enumerate(stages.values()):
        for path in names(stage.get("deps", [])):
            assert made.get(path, -1) < place, path


@pytest.fixture(scope="module")
def validate(tmp_path_factory):
    """roc-validator, offline: whether a crate passes, and what it says."""
    program = exporting.tool("rocrate-validator")
    cache = tmp_path_factory.mktemp("contexts") / "cache"
    seed = [program.with_name("python"), crate_contexts.__file__, str(cache)]
    subprocess.run(seed, check=True, env={"PATH": "/usr/bin:/bin"})

    def judge(archive):
        command = [program, "-y", "validate", "-p", "provenance-run-crate-0.5", "-l", "REQUIRED", "--offline"]
        command += ["--cache-path", str(cache), "-v", "--no-paging", str(archive)]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(cache.parent), "LANG": "C.UTF-8"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        return done.returncode == 0, " ".join((done.stdout + done.stderr).split())

    return judge


def test_it_is_a_valid_provenance_run_crate(exported, validate):
    passed, said = validate(exported)
    assert passed, said
    assert "RO-Crate is a valid provenance-run-crate-0.5" in said


def test_an_action_without_its_tool_would_be_noticed(exported, validate, tmp_path):
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(exported) as archive, zipfile.ZipFile(broken, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "ro-crate-metadata.json":
                document = json.loads(content)
                del next(one for one in document["@graph"] if one["@type"] == "CreateAction")["instrument"]
                content = json.dumps(document).encode()
            copy.writestr(name, content)
    passed, said = validate(broken)
    assert not passed
    assert "instrument" in said
