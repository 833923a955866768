"""Every command of the README is typed here, in a finished clone, and does what it says."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from clones import ROOT, STUDIES

pytestmark = [pytest.mark.graph, pytest.mark.slow]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DATA = ROOT.parent / "shared/data"
SWEEP = (
    "dvc exp run --queue headline -S study=foundation_llm_experiments -S 'seed=42,1337' -S "
    "'scales/demo.yaml:foundation_llm_experiments.train.constraint.scope=mlp_in,mlp_both,mlp_in_attn_out'"
)


def commands() -> list[str]:
    """In the README's order: lines of console blocks, and code in the left or right cell of `you want to | type`."""
    found = []
    for block, row in re.findall(
        r"```console\n(.*?)```|^\| [^|]+ \| (`(?:dvc|make|mono) [^|]+) \|$", README, re.S | re.M
    ):
        lines = block.splitlines() if block else re.findall(r"`([^`]+)`", row)
        found += [line.partition("#")[0].strip() for line in lines]
    return [command for command in found if command]


# What is typed instead, where the README's words would install packages, need another place, or take long.
INSTEAD = {
    "make test": "make test PYTEST_ARGS='tests/test_repository.py tests/test_progress.py'",
    "dvc remote add -d store /some/where": "dvc remote add -d store ../store",
    "make sweep": "make sweep SEEDS=8888,12345",
    "dvc params diff": "dvc params diff HEAD",
    "dvc metrics diff": "dvc metrics diff HEAD",
    "dvc plots diff": "dvc plots diff HEAD",
    "dvc gc -w": "dvc gc -w -f",
    # The commands before have left results that are not committed, which a crate refuses.
    "mono export crate build/crate.zip": "git add -A && git commit -qm 'feat: all' --allow-empty && "
    "mono export crate build/crate.zip",
    SWEEP: SWEEP.replace("42,1337", "42").replace("demo", "toy").replace(",mlp_in_attn_out", ""),
}
# What the command must say.
SAYS = {
    "make evidence": "Running stage 'paper'",
    "make test": "passed",
    "make show": "hotflip_delta_nll",
    "dvc exp run -S seed=1337": "headline",
    "dvc exp show": "uat_delta_nll",
    "mono tables": "HotFlip",
    "mono export crate build/crate.zip": " actions, ",
    "mono checklist --output build/checklist.md": "answers left to the authors",
    "mono export zenodo": "made from CITATION.cff",
    "mono numbers": "t5.hotflip.difference.delta_nll",
    "mono numbers --tex paper_evidence/paper.tex": "numbers by name, all known",
    "make paper": "build/paper/paper.pdf",
    "mono check": "scales/paper.yaml: well-formed",
    "mono trace table_5.monotonic.success": "Every link holds.",
    "mono explain": "None of the paper's",
    "mono verify": "sound: ",
    "mono verify --reproduced HEAD": "reproduced: ",
    "dvc push": "",
    "dvc plots show": "index.html",
    "dvc repro paper_evidence/dvc.yaml:aggregate@foundation_llm_experiments": "aggregate@foundation",
    "mono duplicates experiment_results": "no two of them the same",
    "mono audit paper_evidence/paper.tex --results experiment_results": " supported; ",
    "mono sweep --study foundation_llm_experiments": "mlp_in",
}


def test_the_readme_has_the_commands_that_this_file_knows():
    assert set(INSTEAD) | set(SAYS) <= set(commands())
    assert len(commands()) >= 15


@pytest.fixture
def environment(clone):
    """The clone with this environment as its .venv, so that `make` need not install it anew."""
    home = clone.path / ".venv"
    (home / "bin").mkdir(parents=True)
    # Python finds its packages by the pyvenv.cfg and lib beside the path that it was called by.
    for name in ("pyvenv.cfg", "lib"):
        (home / name).symlink_to(Path(sys.prefix) / name)
    for tool in Path(sys.executable).parent.iterdir():
        (home / "bin" / tool.name).symlink_to(tool)
    for stamp in (".created", ".installed", ".installed-test"):
        (home / stamp).touch()
    return clone


def test_each_command_works(environment):
    clone = environment
    if not (clone.path / ".venv/bin/mono").exists():
        (clone.path / ".venv/bin/mono").write_text(f'#!/bin/sh\nexec {sys.executable} -m mono_s2s.cli "$@"\n')
        (clone.path / ".venv/bin/mono").chmod(0o755)
    # Two seeds, then the README's three, then two variants.
    queued = iter((2, 5, 7))
    for command in commands():
        if (
            "scale=" in command
            or command.startswith("git ")
            or (command == "make paper" and not shutil.which("latexmk"))
        ):
            continue
        # A sweep in which no variant wins ends with status 1, and what toy models do is chance; so does an audit of
        # notes that repeat one number in two units.
        ok = None if command.startswith(("mono sweep", "mono audit")) else True
        output = clone.run(f"PATH=$PWD/.venv/bin:$PATH; {INSTEAD.get(command, command)}", ok=ok)
        if "queue start" in command or command == "make sweep":
            assert clone.wait_for_queue().count("Success") == next(queued)
        assert SAYS.get(command, "") in output, f"{command}:\n{output[-3000:]}"
    assert clone.stages_run(clone.run("dvc repro")) == []


def test_an_experiment_in_a_temporary_folder_leaves_the_workspace_alone(clone):
    assert "dvc exp run --temp headline -S scale=toy" in commands()
    before = clone.all_files()
    clone.run("dvc exp run --temp headline -S scale=toy -S seed=1337 -n other")
    assert clone.all_files() == before
    assert "1337" in clone.run("dvc params diff HEAD other")


@pytest.mark.parametrize(
    ("scale", "study", "data"),
    [
        ("dialogsum", "t5_experiments", "dialogsum/dialogsum.*.jsonl"),
        ("shakespeare", "foundation_llm_experiments", "tiny_shakespeare/input.txt"),
    ],
)
def test_real_text_runs_through_the_same_pipeline(clone, scale, study, data):
    """The README's commands for real text, with training cut short."""
    files = sorted(DATA.glob(data))
    if not files:
        pytest.skip(f"{data} is not beside this checkout")
    choice = "" if study == STUDIES[0] else f" -S study={study}"
    there, back = f"dvc exp run{choice} -S scale={scale}", "git checkout . && dvc repro"
    assert {there, back} <= set(commands())
    for file in files:
        shutil.copy(file, clone.path / "data" / scale)
    path = clone.path / f"scales/{scale}.yaml"
    text = path.read_text()
    text = re.sub(r"epochs: \d+", "epochs: 1", text)
    text = re.sub(r"(?m)^  evaluate:$", "  evaluate:\n    limit: 8", text)
    text = re.sub(r"documents: \d+", "documents: 200", text)
    text = re.sub(r"attack_(evaluation|optimization): \d+", r"attack_\1: 4", text)
    text = re.sub(r"iterations: \d+", "iterations: 1", text)
    text = re.sub(r"max_input_tokens: \d+", "max_input_tokens: 64", text)
    text = re.sub(r"vocabulary: \d+", "vocabulary: 1000", text)
    text = re.sub(r"layers: \d+", "layers: 1", text)
    text = re.sub(r"flips: \d+", "flips: 1", text)
    path.write_text(text)
    clone.run("git add -A && git commit -qm 'feat: cut short'")
    evidence = clone.evidence()
    clone.run(there)
    found = json.loads((clone.path / f"experiment_results/{study}/seed_42/evaluation_results.json").read_text())
    assert found["scale"] == scale
    (part,) = found["datasets"].values()
    assert part["n"] == 8
    assert set(part["models"]) == {"standard", "baseline", "monotonic"}
    ran = clone.stages_run(clone.run(back))
    assert not [name for name in ran if name.startswith(("train", "evaluate", "uat", "hotflip", "corpus", "standard"))]
    assert clone.evidence() == evidence
