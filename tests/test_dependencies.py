"""DVC sees every first-party file that a stage can import, and imports only go down."""

import re
import subprocess
import sys
from pathlib import Path

import declare_imports
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SCIENCE = ("corpus", "models", "training", "evaluation", "attacks", "compute")
EVIDENCE = ("evidence", "tracking", "params", "statistics")
# Who may import whom: a package imports from its own floor only itself, and from any floor below.
FLOORS = (
    ("files", "paths", "progress"),
    ("sources",),
    ("scale", "record", "seeds"),
    ("params", "compute", "statistics", "resume"),
    ("corpus",),
    ("models",),
    ("evaluation",),
    ("training", "attacks", "evidence", "tracking"),
    ("cli", "cluster"),
)


def stages():
    for graph in declare_imports.GRAPHS:
        for name, stage in yaml.safe_load((ROOT / graph).read_text())["stages"].items():
            yield pytest.param(graph, stage, id=name)


@pytest.mark.parametrize(("graph", "stage"), list(stages()))
def test_declared_code_is_what_the_stage_imports(graph, stage):
    module = re.match(r"python -m stages\.(\w+)", stage["cmd"])[1]
    declared = {item for item in stage["deps"] if item.endswith(".py")}
    assert declared == declare_imports.closure(f"stages.{module}", ROOT), f"{graph}: run `make deps`"


def test_an_undeclared_import_would_be_seen(tmp_path):
    """The comparison above can fail: a new import, even inside a function, changes what must be declared."""
    for name in declare_imports.closure("stages.hotflip", ROOT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    before = declare_imports.closure("stages.hotflip", tmp_path)
    (tmp_path / "mono_s2s/extra.py").write_text("")
    with (tmp_path / "mono_s2s/files.py").open("a") as file:
        file.write("\ndef later():\n    from mono_s2s import extra\n")
    assert declare_imports.closure("stages.hotflip", tmp_path) - before == {"mono_s2s/extra.py"}


@pytest.mark.parametrize("path", sorted((ROOT / "mono_s2s").rglob("*.py")), ids=lambda path: path.stem)
def test_imports_only_go_down(path):
    room = path.relative_to(ROOT / "mono_s2s").parts[0].removesuffix(".py")
    if room == "__init__":
        return
    floor = next(number for number, rooms in enumerate(FLOORS) if room in rooms)
    for name in declare_imports.imported(path):
        other = name.split(".")[1] if "." in name else None
        assert not name.startswith("stages"), (
            f"{path.name} imports {name}: stages import the library, never the reverse"
        )
        if other is None or (not (ROOT / "mono_s2s" / other).exists() and not (ROOT / f"mono_s2s/{other}.py").exists()):
            continue
        below = next(number for number, rooms in enumerate(FLOORS) if other in rooms)
        assert other == room or below < floor or (below == floor == 0), f"{path.name} imports {name}"
        assert not (room in SCIENCE and other in EVIDENCE), f"{path.name}: science does not read evidence"
        assert not (room in EVIDENCE and other in SCIENCE), f"{path.name}: evidence does not compute"


@pytest.mark.parametrize(
    "module", ["collect", "aggregate", "tables", "provenance", "index", "headline", "check", "paper"]
)
def test_light_stages_start_without_torch(module):
    code = f"import sys, stages.{module}; sys.exit(bool({{'torch', 'transformers'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("path", sorted((ROOT / "stages").glob("*.py")), ids=lambda path: path.stem)
def test_a_stage_script_is_short_and_says_what_it_does(path):
    text = path.read_text()
    assert text.startswith('"""')
    assert len(text.splitlines()) <= 100
    if "__main__" in text:
        assert re.search(r"(?i)\breads\b", text.split('"""')[1])
        assert re.search(r"(?i)\bwrites\b", text.split('"""')[1])
