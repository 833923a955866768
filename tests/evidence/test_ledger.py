"""dvc.lock is read as DVC wrote it, and files are hashed as DVC hashes them."""

from pathlib import Path

import pytest

from mono_s2s import files
from mono_s2s.evidence import ledger
from mono_s2s.files import BadInput

LOCK = """
schema: '2.0'
stages:
  train@s-1:
    cmd: python -m stages.train --seed 1
    deps:
    - path: runs/data
      hash: md5
      md5: aa.dir
      size: 3
      nfiles: 2
    - path: stages/train.py
      hash: md5
      md5: bb
    params:
      scales/demo.yaml:
        s.train:
          learning_rate: 5e-05
          decay: 1.0
          epochs: 2
          name: on
          flag: true
          nothing:
    outs:
    - path: runs/checkpoint
      md5: cc.dir
"""


def test_a_lock_file(tmp_path):
    (tmp_path / "dvc.lock").write_text(LOCK)
    entry = ledger.read_lock(tmp_path / "dvc.lock")["train@s-1"]
    assert entry.command == ("python", "-m", "stages.train", "--seed", "1")
    assert entry.code == {"stages/train.py": "bb"}
    assert entry.data == {"runs/data": "aa.dir"}
    assert entry.outs == {"runs/checkpoint": "cc.dir"}


def test_scalars_are_those_of_yaml_1_2(tmp_path):
    (tmp_path / "dvc.lock").write_text(LOCK)
    entry = ledger.read_lock(tmp_path / "dvc.lock")["train@s-1"]
    found = entry.params["scales/demo.yaml"]["s.train"]
    assert found == {
        "learning_rate": 0.00005,
        "decay": 1.0,
        "epochs": 2,
        "name": "on",
        "flag": True,
        "nothing": None,
    }
    assert isinstance(found["epochs"], int)
    assert not isinstance(found["epochs"], bool)


@pytest.mark.parametrize("text", ["", "stages: 3", "{", "stages: {a: {deps: 4}}", "schema: '2.0'"])
def test_what_is_no_lock_file(tmp_path, text):
    (tmp_path / "dvc.lock").write_text(text)
    with pytest.raises(BadInput, match=r"dvc\.lock: not a lock file of DVC"):
        ledger.read_lock(tmp_path / "dvc.lock")


def test_no_lock_file(tmp_path):
    with pytest.raises(BadInput, match=r"dvc\.lock: missing: run `dvc repro`"):
        ledger.read_lock(tmp_path / "dvc.lock")


def test_a_lock_of_dvc_itself(tmp_path):
    """What DVC dumps is what is read: floats with exponents and strings that YAML 1.1 takes for something else."""
    from dvc.utils.serialize import dump_yaml

    value = {"rate": 5e-05, "tiny": 1e-12, "word": "no", "digits": "007", "text": "1e3x", "list": [0.1, 2]}
    dump_yaml(
        str(tmp_path / "dvc.lock"),
        {"schema": "2.0", "stages": {"a": {"cmd": "python -m a", "params": {"p.yaml": {"k": value}}}}},
    )
    assert ledger.read_lock(tmp_path / "dvc.lock")["a"].params["p.yaml"]["k"] == value


def test_a_checkout_hashes_files_and_folders(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.txt").write_text("b")
    checkout = ledger.Checkout(tmp_path)
    assert checkout.md5("a/b.txt") == files.md5(Path(tmp_path / "a/b.txt"))
    assert checkout.md5("a").endswith(".dir")
    assert checkout.md5("c") is None
