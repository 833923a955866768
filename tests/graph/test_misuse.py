"""What users do wrong, and what happens to them: one clear line, and nothing lost."""

import os
import random
import signal
import subprocess
import time

import pytest
from clones import STUDY, Clone

pytestmark = [pytest.mark.graph, pytest.mark.slow]
HEAVY = ("train", "evaluate", "uat", "hotflip", "corpus", "standard")


def errors(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.lower().startswith("error: ")]


@pytest.mark.parametrize(
    ("selection", "line"),
    [
        ("seed=abc", "error: params.yaml: seed: Input should be a valid integer, not 'abc'"),
        ("seed=-1", "error: params.yaml: seed: Input should be greater than or equal to 0, not -1"),
        ("scale=big", "scales/big.yaml"),
        ("sed=1", "sed"),
        ("study=t6_experiments", "t6_experiments"),
    ],
)
def test_a_wrong_selection_runs_nothing(clone, selection, line):
    before = clone.evidence()
    output = clone.run(f"dvc exp run -S {selection}", ok=False)
    assert any(line in found for found in errors(output)), output
    assert not [name for name in clone.stages_run(output) if name.startswith(HEAVY)]
    assert clone.evidence() == before


def test_a_wrong_scale_file_runs_nothing(clone):
    clone.edit("scales/toy.yaml", "flips: 2", "flips: two")
    output = clone.run("dvc repro", ok=False)
    assert (
        "error: scales/toy.yaml: t5_experiments.hotflip.flips: Input should be a valid integer, not 'two'" in output
    ), output
    assert not [name for name in clone.stages_run(output) if name.startswith(HEAVY)]


def started(clone: Clone, command: str) -> subprocess.Popen:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC", "GIT_"))}
    environment["PATH"] = clone.search_path()
    # `exec`, so that what is killed is this process's own child and no zombie stays behind: DVC takes a zombie for a
    # process that still holds its locks.
    return subprocess.Popen(
        f"exec {command}",
        shell=True,
        cwd=clone.path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def bytes_that_count(clone: Clone) -> dict[str, str]:
    """Results, without the two files that hold times and hosts."""
    return {
        name: digest
        for name, digest in clone.evidence().items()
        if "/seed_42/" in name and not name.endswith(("metadata.json", "experiment_log.txt"))
    }


def test_any_stage_killed_at_any_moment_ends_in_the_same_bytes(clone):
    before = bytes_that_count(clone)
    moments = random.Random(os.urandom(8))
    arms = (f"train@{STUDY}-42-baseline", f"train@{STUDY}-42-monotonic")
    rest = (f"{name}@{STUDY}-42" for name in ("evaluate", "uat", "hotflip"))
    for stage in (f"corpus@{STUDY}", f"standard@{STUDY}", *arms, *rest):
        killed = started(clone, f"dvc repro -f -s stages/dvc.yaml:{stage}")
        time.sleep(moments.uniform(1.5, 6))
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        clone.run(f"dvc repro -f -s stages/dvc.yaml:{stage}")
    clone.run(f"dvc repro -f -s stages/dvc.yaml:collect@{STUDY}-42")
    assert bytes_that_count(clone) == before


def test_the_same_command_twice_at_once_loses_nothing(clone):
    before = bytes_that_count(clone)
    command = f"dvc --wait-for-lock repro -f -s stages/dvc.yaml:hotflip@{STUDY}-42"
    pair = [started(clone, command) for _ in range(2)]
    outputs = [process.communicate()[0] for process in pair]
    assert 0 in [process.returncode for process in pair], outputs
    for process, output in zip(pair, outputs, strict=True):
        if process.returncode:
            assert errors(output), output
    clone.run("dvc repro")
    assert bytes_that_count(clone) == before
