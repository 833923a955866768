"""Declare in the dvc.yaml files what each stage imports.

DVC reruns a stage when a declared dependency changes, and knows nothing of Python's imports. This finds every
first-party module that `python -m stages.<name>` can import, directly or through others, inside functions too, and
writes them into the stage's `deps`. `make deps` runs it; a test fails where it would change anything, and `aggregate`
refuses results of a process that loaded a file which dvc.lock does not name.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

GRAPHS = ("dvc.yaml", "stages/dvc.yaml", "paper_evidence/dvc.yaml")
PACKAGES = ("mono_s2s", "stages")


def imported(path: Path) -> set[str]:
    """Dotted names that a source file imports, of first-party packages; `from a import b` counts as a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name.split(".")[0] in PACKAGES}


def files_of(name: str, root: Path) -> list[Path]:
    """The files that importing `name` runs: its packages' __init__.py and its own; of an attribute, none of its own."""
    steps = name.split(".")
    found = []
    for count in range(1, len(steps) + 1):
        base = root.joinpath(*steps[:count])
        found += [file for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file()]
    return found


def closure(module: str, root: Path) -> set[str]:
    """Paths, relative to `root`, of every first-party file that running `module` can import, itself included."""
    waiting, seen = files_of(module, root), set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            for name in imported(path):
                waiting += files_of(name, root)
    return {path.relative_to(root).as_posix() for path in seen}


def rewritten(text: str, root: Path) -> str:
    """A dvc.yaml with each stage's *.py dependencies replaced by those that it must declare."""
    blocks = re.split(r"(?m)^(?=  [a-z_]+:$)", text)
    return "".join(_block(block, root) for block in blocks)


def _block(block: str, root: Path) -> str:
    command = re.search(r"^    cmd: python -m stages\.(\w+)", block, re.MULTILINE)
    if command is None:
        return block
    lines = [
        line for line in block.splitlines(keepends=True) if not re.match(r"^    - (mono_s2s|stages)/\S+\.py$", line)
    ]
    code = [f"    - {path}\n" for path in sorted(closure(f"stages.{command[1]}", root))]
    if "    deps:\n" not in lines:
        place = next(i for i, line in enumerate(lines) if re.match(r"^    (params|outs|metrics):", line))
        lines.insert(place, "    deps:\n")
    start = lines.index("    deps:\n") + 1
    end = start + next((i for i, line in enumerate(lines[start:]) if not line.startswith("    - ")), len(lines) - start)
    return "".join([*lines[:end], *code, *lines[end:]])


def main(graphs: Iterable[str] = GRAPHS, root: Path = Path()) -> int:
    """Rewrite the graphs; with --check only say which ones would change. Returns the exit status."""
    stale = []
    for graph in graphs:
        text = (root / graph).read_text(encoding="utf-8")
        wanted = rewritten(text, root)
        if text != wanted:
            stale.append(graph)
            if "--check" not in sys.argv:
                (root / graph).write_text(wanted, encoding="utf-8")
    for graph in stale:
        print(f"{graph}: imports {'not declared: run `make deps`' if '--check' in sys.argv else 'declared anew'}")
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
