"""Files are written whole or not at all, and byte for byte the same for the same content."""

import hashlib
import json
import math
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_s2s import files

ROOT = Path(__file__).resolve().parents[1]


def test_json_has_one_form(tmp_path):
    files.write_json(tmp_path / "a.json", {"b": 0.1 + 0.2, "a": [1, "ü"]})
    files.write_json(tmp_path / "b.json", {"a": [1, "ü"], "b": 0.30000000000000004})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.json").read_text() == '{\n "a": [\n  1,\n  "ü"\n ],\n "b": 0.30000000000000004\n}\n'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_bit_for_bit(value):
    assert math.copysign(1, json.loads(files.to_json(value))) == math.copysign(1, value)
    assert json.loads(files.to_json(value)) == value
    assert float(files.to_csv(["x"], [{"x": value}]).splitlines()[1]) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_not_a_number_is_never_written_and_the_old_file_stays(tmp_path, value):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})
    with pytest.raises(files.BadInput, match="a value is NaN or infinite"):
        files.write_json(path, {"x": [value]})
    assert files.read_json(path) == {"x": 1}
    with pytest.raises(files.BadInput, match="not a number that a result may hold"):
        files.write_csv(tmp_path / "a.csv", ["x"], [{"x": value}])
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_not_a_number_is_never_read(tmp_path, constant):
    (tmp_path / "a.json").write_text(f'{{"x": {constant}}}')
    with pytest.raises(files.BadInput, match=rf"a\.json: not valid JSON \({constant} is not a number"):
        files.read_json(tmp_path / "a.json")


def test_bad_files_name_themselves_and_the_line(tmp_path):
    with pytest.raises(files.BadInput, match=r"none\.json: missing"):
        files.read_json(tmp_path / "none.json")
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n{"x": \n')
    with pytest.raises(files.BadInput, match=r"a\.jsonl, line 2: not valid JSON"):
        files.read_jsonl(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_text("[1]\n")
    with pytest.raises(files.BadInput, match=r"b\.jsonl, line 1: not a JSON object"):
        files.read_jsonl(tmp_path / "b.jsonl")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3\n")
    with pytest.raises(files.BadInput, match=r"a\.csv, line 3: 1 cells under 2 columns"):
        files.read_csv(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(files.BadInput, match=r"b\.csv: empty"):
        files.read_csv(tmp_path / "b.csv")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_jsonl_and_csv_keep_every_text(texts):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        rows = [{"text": text} for text in texts]
        files.write_jsonl(Path(folder) / "a.jsonl", rows)
        assert files.read_jsonl(Path(folder) / "a.jsonl") == rows


def test_csv_keeps_commas_quotes_and_line_breaks(tmp_path):
    rows = [{"a": 'x, "y"\nz', "b": ""}, {"a": "#Person1#: hi", "b": "2"}]
    files.write_csv(tmp_path / "a.csv", ["a", "b"], rows)
    assert files.read_csv(tmp_path / "a.csv") == rows


def test_a_row_with_another_column_is_refused(tmp_path):
    with pytest.raises(files.BadInput, match="a row has columns"):
        files.write_csv(tmp_path / "a.csv", ["a"], [{"a": 1, "b": 2}])


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """A limit on file size stands for the full disk: the kernel refuses the write half-way, as it would there."""
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})
    code = (
        "import resource, signal; from pathlib import Path; from mono_s2s import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: files.write_json(Path('a.json'), list(range(100000)))\n"
        "except files.BadInput as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        done.stdout
        == "a.json: cannot be written (File too large); the old file is untouched: make room and run again\n"
    )
    assert files.read_json(path) == {"x": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096


def test_written_files_follow_the_umask(tmp_path):
    files.write_text(tmp_path / "a.txt", "x")
    (tmp_path / "b.txt").write_text("x")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


def test_digests(tmp_path):
    files.write_text(tmp_path / "a", "abc")
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    assert files.md5(tmp_path / "a") == hashlib.md5(b"abc").hexdigest()
    assert files.digest({"a": 1, "b": 2}) == files.digest({"b": 2, "a": 1}) != files.digest({"a": 1})


def test_folder_digest_is_that_of_dvc(tmp_path):
    """What a process records about a folder must be comparable with dvc.lock."""
    import yaml

    folder = tmp_path / "data"
    for name in ("b.txt", "a/z.txt", "a.txt", "a/é.txt"):
        files.write_text(folder / name, name)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_text("x")
    (tmp_path / ".dvcignore").write_text("__pycache__\n*.pyc\n")
    commands = [
        ["git", "init", "-q"],
        [sys.executable, "-m", "dvc", "init", "-q"],
        [sys.executable, "-m", "dvc", "add", "-q", "data"],
    ]
    for command in commands:
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    entry = yaml.safe_load((tmp_path / "data.dvc").read_text())["outs"][0]
    assert files.md5(folder) == entry["md5"]
