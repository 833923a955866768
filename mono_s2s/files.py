"""Files that are written whole or not at all, and byte for byte the same for the same content.

Every result goes through this module: sorted keys, full-precision floats, no NaN or Infinity, a final newline, and a
temporary file that replaces the old one only once it is safely on disk.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


class BadInput(Exception):  # noqa: N818 - it names what the user gave, not a fault of the program
    """Something the user gave is wrong; the message says what, where, and the mend, on one line."""


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` atomically: whoever reads sees the old file or the new one, never a part.

    Raises:
        BadInput: the content could not be written (a full disk, say); the old file is then untouched.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # NamedTemporaryFile makes 0600; results are to be read by whoever may read the checkout.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise BadInput(
            f"{path}: cannot be written ({error.strerror}); the old file is untouched: make room and run again"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with LF line ends, atomically."""
    write_bytes(path, text.encode())


def to_json(value: Any) -> str:
    """The one JSON form of `value`: sorted keys, full precision, final newline.

    Raises:
        ValueError: `value` holds NaN or Infinity.
    """
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `value` in its one JSON form (`to_json`), atomically."""
    try:
        text = to_json(value)
    except ValueError as error:
        raise BadInput(f"{path}: not written, a value is NaN or infinite: look for it in the stage's log") from error
    write_text(path, text)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number that a result may hold")


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        BadInput: the file is missing, is not JSON, or holds NaN or Infinity.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise BadInput(f"{path}: missing") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not valid JSON ({error})") from error


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, keys sorted, atomically."""
    lines = (json.dumps(row, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n" for row in rows)
    write_text(path, "".join(lines))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file, in order.

    Raises:
        BadInput: the file is missing, or a line is not a JSON object; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadInput(f"{path}: missing") from error
    rows = []
    # Only \n ends a line: a summary may hold U+2028 and the like, where str.splitlines would cut.
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], start=1):
        try:
            row = json.loads(line, parse_constant=_refuse_constant)
        except ValueError as error:
            raise BadInput(f"{path}, line {number}: not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise BadInput(f"{path}, line {number}: not a JSON object")
        rows.append(row)
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"{value} is not a number that a result may hold")
        return repr(value)
    return str(value)


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """CSV text with a header; floats by `repr`, so that reading them back gives the same bits.

    Raises:
        ValueError: a row lacks a column or has another one, or a float is NaN or infinite.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        if set(row) != set(columns):
            raise ValueError(f"a row has columns {sorted(row)}, not {sorted(columns)}")
        writer.writerow([_cell(row[column]) for column in columns])
    return out.getvalue()


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV (`to_csv`), atomically."""
    try:
        text = to_csv(columns, rows)
    except ValueError as error:
        raise BadInput(f"{path}: not written, {error}") from error
    write_text(path, text)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as dictionaries of strings.

    Raises:
        BadInput: the file is missing, empty, or a row has too few or too many cells.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadInput(f"{path}: missing") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        columns = next(reader)
    except StopIteration:
        raise BadInput(f"{path}: empty, not even a header") from None
    rows = []
    for cells in reader:
        if len(cells) != len(columns):
            raise BadInput(f"{path}, line {reader.line_num}: {len(cells)} cells under {len(columns)} columns")
        rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5(path: Path) -> str:
    """MD5 of a file or folder as DVC 3 records it in dvc.lock (a folder's ends in `.dir`).

    A folder's is the MD5 of the sorted list of its files' MD5s and relative paths; DVC's own hidden rules
    (.dvcignore) are followed as far as this project's .dvcignore goes: __pycache__ and *.pyc are left out.
    """
    if path.is_dir():
        entries = [
            {"md5": md5(file), "relpath": file.relative_to(path).as_posix()}
            for file in path.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc"
        ]
        entries.sort(key=lambda entry: entry["relpath"])
        return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a value's one JSON form, hexadecimal: equal values, equal digests."""
    return hashlib.sha256(to_json(value).encode()).hexdigest()
