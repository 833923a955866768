"""What DVC recorded (dvc.lock) and what this checkout holds, in the form in which they can be compared."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mono_s2s import files
from mono_s2s.files import BadInput


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML 1.2 scalars, as DVC writes them: 5e-05 is a number there, `on` and `yes` are words."""

    yaml_implicit_resolvers: dict[str, list] = {}  # noqa: RUF012 - the name that PyYAML looks for


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def parse(text: str) -> Any:
    """YAML as DVC reads and writes it."""
    return yaml.load(text, Loader=_Loader)


@dataclass(frozen=True)
class Entry:
    """One stage of a dvc.lock: paths relative to the top folder, with DVC's MD5s."""

    command: tuple[str, ...]
    deps: Mapping[str, str]
    outs: Mapping[str, str]
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def code(self) -> dict[str, str]:
        """The first-party source files among the dependencies."""
        return {path: md5 for path, md5 in self.deps.items() if path.endswith(".py")}

    @property
    def data(self) -> dict[str, str]:
        """The dependencies that are not source files."""
        return {path: md5 for path, md5 in self.deps.items() if not path.endswith(".py")}


def read_lock(path: Path) -> dict[str, Entry]:
    """The stages of a dvc.lock by name.

    Raises:
        BadInput: missing or not a lock file.
    """
    try:
        return dict(_stages(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise BadInput(f"{path}: missing: run `dvc repro`") from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadInput(f"{path}: not a lock file of DVC: remove it and run `dvc repro`") from error


@functools.lru_cache(maxsize=8)
def _stages(text: str) -> Mapping[str, Entry]:
    """Parsed once a text: several readers want the same lock, and YAML is slow."""
    return {
        name: Entry(
            command=tuple(shlex.split(stage["cmd"])),
            deps={item["path"]: item.get("md5", "") for item in stage.get("deps", ())},
            outs={item["path"]: item.get("md5", "") for item in stage.get("outs", ())},
            params={file: dict(keys) for file, keys in stage.get("params", {}).items()},
        )
        for name, stage in parse(text)["stages"].items()
    }


class Checkout:
    """The files of this checkout, hashed once each."""

    def __init__(self, root: Path = Path()) -> None:
        self.root = root
        self._known: dict[str, str | None] = {}

    def md5(self, path: str) -> str | None:
        """MD5 of a file or folder as DVC has it; None if it is not there."""
        if path not in self._known:
            where = self.root / path
            self._known[path] = files.md5(where) if where.exists() else None
        return self._known[path]
