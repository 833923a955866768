"""Documents from JSONL files: one JSON object a line, fields under names that the scale file gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mono_s2s import files
from mono_s2s.corpus.texts import Pool, Text, shuffled
from mono_s2s.files import BadInput
from mono_s2s.sources import JsonlFile, JsonlSource


def decoded(path: Path, name: str) -> str:
    """The text of a UTF-8 file, without byte-order mark, with LF line ends.

    Raises:
        BadInput: the file is missing, or is not UTF-8; names the first wrong byte.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise BadInput(f"{name}: missing") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{name}, line {line}: not UTF-8 (byte {error.start} of the file is 0x{content[error.start]:02x}): "
            "save the file as UTF-8"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def field(row: Mapping[str, Any], name: str, where: str) -> str:
    """The text of one field, outer white space removed.

    Raises:
        BadInput: the field is missing, empty or no text; names `where`.
    """
    if name not in row:
        raise BadInput(f"{where}: field {name!r} missing (fields: {', '.join(sorted(row))})")
    value = row[name]
    if not isinstance(value, str):
        raise BadInput(f"{where}: field {name!r} is {type(value).__name__}, not text")
    if not value.strip():
        raise BadInput(f"{where}: field {name!r} is empty: fill it in or take the line out")
    return value.strip()


def read(file: JsonlFile, root: Path) -> list[Text]:
    """All examples of a file, in order.

    Raises:
        BadInput: the file is missing, empty or not UTF-8, a line is not a JSON object, or a field is missing, empty or
            no text; names file and line.
    """
    decoded(root / file.path, file.path)
    rows = files.read_jsonl(root / file.path)
    if not rows:
        raise BadInput(f"{file.path}: empty, not one example")
    source = Path(file.path).name.removesuffix(".jsonl")
    texts = []
    for number, row in enumerate(rows, start=1):
        where = f"{file.path}, line {number}"
        identifier = str(number)
        if file.identifier is not None:
            # An id may be a number; it must be there.
            value = row.get(file.identifier)
            identifier = str(value) if isinstance(value, int) else field(row, file.identifier, where)
        texts.append(
            Text(
                example_id=f"{source}-{identifier}",
                source=source,
                document=field(row, file.document, where),
                references=tuple(field(row, name, where) for name in file.references),
            )
        )
    return texts


def watched(paths: Iterable[str], raw: Path, root: Path) -> None:
    """Check that files lie in `raw`, which DVC watches.

    Raises:
        BadInput: one lies elsewhere.
    """
    for path in paths:
        if not (root / path).resolve().is_relative_to((root / raw).resolve()):
            raise BadInput(
                f"corpus.source: {path} lies outside {raw.as_posix()}/, so that DVC would not see it change: "
                "put it there"
            )


def pools(source: JsonlSource, raw: Path, root: Path) -> list[Pool]:
    """The study's splits, held-out ones first, each in a seeded order.

    Attack evaluation takes its examples from the test files before the test sets do: what is attacked is not what
    quality is measured on. Attack optimization and validation take theirs from the training files before training does.

    Args:
        source: files, field names and sizes.
        raw: the folder in which all files must lie, relative to `root`; DVC watches this one.
        root: the top folder.

    Raises:
        BadInput: a file lies elsewhere; else see `read`.
    """
    watched([file.path for file in (*source.train, *source.test.values())], raw, root)
    seed = source.data_seed
    tests = {name: iter(shuffled(read(source.test[name], root), seed, f"test/{name}")) for name in sorted(source.test)}
    share, more = divmod(source.attack_evaluation, len(tests))
    found = []
    for number, texts in enumerate(tests.values()):
        take = share + (number < more)
        found.append(Pool("attack_evaluation", texts, take, "corpus.source.attack_evaluation"))
    found += [Pool(f"test_{name}", texts, None, f"corpus.source.test.{name}") for name, texts in tests.items()]
    read_files = [text for file in source.train for text in read(file, root)]
    train = iter(shuffled(read_files, seed, "train"))
    found += [
        Pool("attack_optimization", train, source.attack_optimization, "corpus.source.attack_optimization"),
        Pool("validation", train, source.validation, "corpus.source.validation"),
        Pool("train", train, None, "corpus.source.train"),
    ]
    return found
