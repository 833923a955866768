"""The made-up studies as a reviewer would clone them: no checkpoints, every lock, README and headline in place; and how
to change something there and put it back."""

import re
import shutil

import pytest
import yaml
from studies import ROOT, from_yaml, run, to_yaml

from mono_s2s import files
from mono_s2s.evidence import headlines, ledger
from mono_s2s.params import load_params

GRAPHS = {"paper_evidence/dvc.yaml": "paper_evidence/dvc.lock", "dvc.yaml": "dvc.lock"}


def _resolved(node, names):
    """A graph's text with DVC's ${names} filled in."""
    if isinstance(node, dict):
        return {_resolved(key, names): _resolved(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_resolved(value, names) for value in node]
    if isinstance(node, str):
        return re.sub(r"\$\{([^}]+)\}", lambda match: str(names[match[1]]), node)
    return node


def _names(params):
    found = {"study": params.study, "seed": params.seed, "scale": params.scale}
    for key in ("studies", "seeds"):
        found |= {f"{key}[{place}]": value for place, value in enumerate(getattr(params, key))}
    return found


def _entry(root, stage, names, contents):
    """What DVC would have written of a stage of the graph."""
    stage = _resolved({key: value for key, value in stage.items() if key != "matrix"}, names)
    own = {}
    for item in stage.get("params", []):
        file, keys = next(iter(item.items())) if isinstance(item, dict) else ("params.yaml", [item])
        own.setdefault(file, {}).update({key: contents[file][key] for key in keys or ()})
    outs = [item for key in ("outs", "metrics", "plots") for item in stage.get(key, [])]
    paths = [next(iter(item)) if isinstance(item, dict) else item for item in outs]

    def hashed(paths):
        return [{"path": path, "hash": "md5", "md5": files.md5(root / path)} for path in paths]

    return {"cmd": stage["cmd"], "deps": hashed(stage["deps"]), "params": own, "outs": hashed(paths)}


def _locked(root, graph, lock):
    params = load_params(root)
    names, contents = _names(params), {"params.yaml": ledger.parse((root / "params.yaml").read_text())}
    stages = {}
    for name, stage in yaml.safe_load((ROOT / graph).read_text())["stages"].items():
        if "matrix" in stage:
            for study in params.studies:
                stages[f"{name}@{study}"] = _entry(root, stage, names | {"item.study": study}, contents)
        else:
            stages[name] = _entry(root, stage, names, contents)
    files.write_text(root / lock, to_yaml({"schema": "2.0", "stages": stages}))


def clone(root):
    """Make a finished study what a reviewer's clone of it is."""
    for name in ("dvc.yaml", "README.md", *GRAPHS):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    run(root, "-m stages.headline --study t5_experiments --seed 42")
    readme = root / "README.md"
    readme.write_text(headlines.filled(readme.read_text(), headlines.summaries(root)))
    for graph, lock in GRAPHS.items():
        _locked(root, graph, lock)
    shutil.rmtree(root / "runs")
    return root


class Tree:
    """A clone that remembers how it was."""

    def __init__(self, root):
        self.root = root
        self._before = {}

    def _remember(self, name):
        path = self.root / name
        self._before.setdefault(name, path.read_bytes() if path.exists() else None)

    def read(self, name):
        return (self.root / name).read_text(encoding="utf-8")

    def write(self, name, text):
        self._remember(name)
        (self.root / name).write_text(text, encoding="utf-8")

    def remove(self, name):
        self._remember(name)
        (self.root / name).unlink()

    def names(self, *patterns):
        found = {path.relative_to(self.root).as_posix() for pattern in patterns for path in self.root.glob(pattern)}
        return sorted(name for name in found if (self.root / name).is_file())

    def json(self, name, edit):
        """Edit a JSON file, in the one JSON form."""
        content = files.read_json(self.root / name)
        edit(content)
        self.write(name, files.to_json(content))

    def changed(self):
        """Files that are not as they were."""
        now = {name: (self.root / name).read_bytes() if (self.root / name).exists() else None for name in self._before}
        return sorted(name for name, before in self._before.items() if now[name] != before)

    def believe(self):
        """`dvc commit -f`: the locks take whatever lies there now."""
        params = load_params(self.root)
        names = ("params.yaml", f"scales/{params.scale}.yaml")
        contents = {name: ledger.parse((self.root / name).read_text()) for name in names}
        for lock in ("stages/dvc.lock", *GRAPHS.values()):
            content = from_yaml(self.root / lock)
            for stage in content["stages"].values():
                for item in (*stage.get("deps", ()), *stage.get("outs", ())):
                    if (self.root / item["path"]).exists():
                        item["md5"] = files.md5(self.root / item["path"])
                for file, keys in stage.get("params", {}).items():
                    for key in keys:
                        node = contents[file]
                        for step in key.split("."):
                            node = node[step]
                        keys[key] = node
            self.write(lock, to_yaml(content))

    def restore(self):
        """Put everything back."""
        for name, before in self._before.items():
            if before is None:
                (self.root / name).unlink(missing_ok=True)
            else:
                (self.root / name).write_bytes(before)
        self._before = {}


@pytest.fixture(scope="session")
def _cloned(finished_study, tmp_path_factory):
    root = tmp_path_factory.mktemp("verifying") / "clone"
    shutil.copytree(finished_study, root, symlinks=True)
    return Tree(clone(root))


@pytest.fixture
def tree(_cloned):
    """The clone, put back after each test."""
    yield _cloned
    _cloned.restore()
