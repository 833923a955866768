"""Evidence is never built from parts that do not belong together: each way to try it, and what stops it."""

import json
import shutil

import pytest
from clones import SEEDS, STUDIES, STUDY, Clone

pytestmark = [pytest.mark.graph, pytest.mark.slow]
CODE = "mono_s2s/attacks/hotflip.py"
RESULT = f"experiment_results/{STUDY}/seed_2024/hotflip_results.json"
HEAVY = ("train", "evaluate", "uat", "hotflip", "corpus", "standard")
FORCED = "dvc repro -s paper_evidence/dvc.yaml"
# The refusal, switched off: what the tests of `refused` must then no longer see.
SWITCH = ("stages/aggregate.py", "integrity.verify(", "(lambda *_, **__: None)(")


def edited_code(clone: Clone) -> tuple[str, str]:  # T3
    clone.append(CODE, "\n# an edit\n")
    return FORCED, CODE


def edited_parameters(clone: Clone) -> tuple[str, str]:  # T4
    clone.edit("scales/toy.yaml", "flips: ", "flips: 1")
    return FORCED, "hotflip"


def edited_data(clone: Clone) -> tuple[str, str]:  # T5
    clone.append("data/toy/README.md", "\nAn edit.\n")
    return FORCED, "data/toy"


def edited_result(clone: Clone) -> tuple[str, str]:  # T6
    content = json.loads((clone.path / RESULT).read_text())
    content["models"]["baseline"]["damage"]["attack"]["delta_nll_per_token"] += 1.0
    (clone.path / RESULT).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return FORCED, RESULT


def committed_over_edited_code(clone: Clone) -> tuple[str, str]:  # T7
    clone.append(CODE, "\n# an edit\n")
    clone.run("dvc commit -f")
    # DVC now believes that nothing is to be done.
    return "dvc repro paper_evidence/dvc.yaml", CODE


def committed_runs_over_edited_code(clone: Clone) -> tuple[str, str]:
    clone.append(CODE, "\n# an edit\n")
    clone.run("dvc commit -f -R stages")
    return "dvc repro paper_evidence/dvc.yaml", CODE


def poisoned_run_cache(clone: Clone) -> tuple[str, str]:  # T7b
    clone.append(CODE, "\n# an edit\n")
    clone.run("dvc commit -f && git checkout -q stages/dvc.lock paper_evidence/dvc.lock dvc.lock")
    return "dvc repro paper_evidence/dvc.yaml", CODE


def undeclared_import(clone: Clone) -> tuple[str, str]:  # T10
    (clone.path / "mono_s2s/attacks/extra.py").write_text('"""Not declared anywhere."""\n')
    clone.edit(CODE, "from mono_s2s", "from mono_s2s.attacks import extra  # noqa: F401\nfrom mono_s2s")
    clone.run(f"dvc repro stages/dvc.yaml:collect@{STUDY}-42")
    return FORCED, "mono_s2s/attacks/extra.py"


def copied_seed_folder(clone: Clone) -> tuple[str, str]:
    for name in ("42", "1337"):
        assert (clone.path / f"experiment_results/{STUDY}/seed_{name}").is_dir()
    shutil.rmtree(clone.path / f"experiment_results/{STUDY}/seed_1337")
    shutil.copytree(
        clone.path / f"experiment_results/{STUDY}/seed_42", clone.path / f"experiment_results/{STUDY}/seed_1337"
    )
    return FORCED, "seed_1337"


def not_a_number(clone: Clone) -> tuple[str, str]:
    result = f"experiment_results/{STUDIES[1]}/seed_2024/evaluation_results.json"
    clone.edit(result, '"nll_per_token": ', '"nll_per_token": NaN, "was": ')
    return FORCED, result


ATTEMPTS = (
    edited_code,
    edited_parameters,
    edited_data,
    edited_result,
    committed_over_edited_code,
    committed_runs_over_edited_code,
    poisoned_run_cache,
    undeclared_import,
    copied_seed_folder,
    not_a_number,
)


def refusals(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.__name__)
def test_refused_with_one_line_and_no_new_table(clone, attempt):
    tables = clone.tables()
    command, named = attempt(clone)
    output = clone.run(command, ok=False)
    assert len(refusals(output)) == 1, output
    assert named in refusals(output)[0]
    assert clone.tables() == tables


@pytest.mark.parametrize(
    "attempt",
    [edited_code, edited_parameters, edited_result, poisoned_run_cache, undeclared_import],
    ids=lambda attempt: attempt.__name__,
)
def test_the_refusal_bites(clone, attempt):
    """With the refusal switched off each attempt builds evidence: so it is the refusal that stops it."""
    clone.edit(*SWITCH)
    command, _ = attempt(clone)
    assert refusals(clone.run(command)) == []


def test_plain_repro_repairs_an_edited_result_by_the_light_stage_alone(clone):  # T6b
    evidence = clone.evidence()
    edited_result(clone)
    assert clone.stages_run(clone.run("dvc repro paper_evidence/dvc.yaml")) in ([], [f"collect@{STUDY}-2024"])
    assert clone.tables() == {name: digest for name, digest in evidence.items() if name in clone.tables()}
    assert clone.evidence()[RESULT] == evidence[RESULT]


def test_forcing_the_arms_heals_a_poisoned_run_cache(clone):  # T7c
    tables = clone.tables()
    command, _ = poisoned_run_cache(clone)
    clone.run(
        "dvc repro -f -s " + " ".join(f"stages/dvc.yaml:hotflip@{study}-{seed}" for study in STUDIES for seed in SEEDS)
    )
    clone.run(command)
    assert clone.tables() == tables


def test_a_seed_left_at_another_learning_rate_is_refused_and_replayed(clone):  # T8, T8b
    tables = clone.tables()
    rate = "learning_rate: 0.003"
    text = (clone.path / "scales/toy.yaml").read_text()
    section = text[text.index("\n  train:") :]
    clone.edit("scales/toy.yaml", section, section.replace(rate, rate + "1"))
    clone.run(f"dvc repro stages/dvc.yaml:collect@{STUDY}-2024")
    clone.run("git checkout -q scales/toy.yaml")
    (refusal,) = refusals(clone.run(FORCED, ok=False))
    assert "2024" in refusal
    assert clone.tables() == tables
    ran = clone.stages_run(clone.run("dvc repro paper_evidence/dvc.yaml"))
    assert not [name for name in ran if name.startswith(HEAVY)]
    assert clone.tables() == tables


def fresh(clone: Clone, path) -> Clone:
    clone.run(f"git clone -q {clone.path} {path}")
    return Clone(path)


def test_a_clone_without_checkpoints_is_up_to_date(clone, tmp_path):  # T9
    bare = fresh(clone, tmp_path / "fresh")
    before = bare.all_files()
    assert bare.stages_run(bare.run("dvc repro --allow-missing paper_evidence/dvc.yaml")) == []
    assert bare.all_files() == before


def test_there_an_edited_table_script_rebuilds_the_tables_only(clone, tmp_path):  # T9b
    bare = fresh(clone, tmp_path / "fresh")
    bare.append("stages/tables.py", "\n# an edit\n")
    assert bare.stages_run(bare.run("dvc repro --allow-missing paper_evidence/dvc.yaml")) == ["tables"]
    assert bare.tables() == clone.tables()


def test_there_an_edited_attack_builds_no_evidence(clone, tmp_path):  # T9c
    bare = fresh(clone, tmp_path / "fresh")
    bare.append(CODE, "\n# an edit\n")
    tables = bare.tables()
    bare.run("dvc repro --allow-missing paper_evidence/dvc.yaml", ok=False)
    after = bare.tables()
    assert {name: tables.get(name) for name in after} == after


def test_a_lost_lock_file_is_rebuilt_from_the_run_cache(clone):  # T13
    evidence = clone.evidence()
    (clone.path / "stages/dvc.lock").unlink()
    ran = clone.stages_run(clone.run("dvc repro"))
    assert not [name for name in ran if name.startswith(HEAVY)]
    assert {name: d for name, d in clone.evidence().items() if "dvc.lock" not in name} == {
        name: d for name, d in evidence.items() if "dvc.lock" not in name
    }
