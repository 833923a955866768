"""What reads and judges starts without what computes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "mono_s2s/evidence").rglob("[a-z]*.py"))
]
STAGES = [f"stages.{name}" for name in ("collect", "aggregate", "tables", "provenance", "index")]


def loaded(modules, names):
    code = f"import sys, {', '.join(modules)}; print(*sorted({set(names)!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_nothing_that_judges_loads_torch():
    assert loaded([*MODULES, *STAGES, "mono_s2s.cli"], ["torch", "transformers", "datasets", "pandas"]) == []


@pytest.mark.parametrize("module", ["mono_s2s.cli", "stages.tables", "stages.index", "stages.provenance"])
def test_light_programs_load_no_numbers_library(module):
    assert loaded([module], ["numpy", "scipy"]) == []


def test_no_room_is_left_out():
    assert {"mono_s2s.evidence.integrity", "mono_s2s.evidence.verify.checking"} <= set(MODULES)


def test_the_test_for_loaded_modules_can_fail():
    assert loaded(["mono_s2s.statistics"], ["numpy"]) == ["numpy"]
