"""Documents from the Hugging Face hub, at pinned revisions: all of what was asked for, or an error.

Needs the optional extra `mono-s2s[hub]`. The published study's loader gave an empty training source after three failed
tries, and went on; this one stops.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import Any

from mono_s2s.corpus.texts import Pool, Text, shuffled
from mono_s2s.files import BadInput
from mono_s2s.sources import HubData, HubSource, HubText, HubTexts


def _library() -> Any:
    # Optional and slow to import; corpora from elsewhere do without.
    try:
        import datasets
    except ImportError as error:
        raise BadInput(
            "corpus.source.kind: hub needs the package datasets, which is not installed: pip install 'mono-s2s[hub]'"
        ) from error
    return datasets


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _builder(data: HubData | HubText, where: str) -> Any:
    """What makes a data set at exactly its revision."""
    datasets = _library()
    # The library finds splits by the names of files and folders, and stops at the first kind of name that it knows.
    named = {data.split: data.file} if isinstance(data, HubText) and data.file else None
    builder = datasets.load_dataset_builder(data.name, data.configuration, data_files=named, revision=data.revision)
    # The library falls back to whatever revision lies in its cache when the hub cannot be reached.
    if builder.hash != data.revision:
        raise ConnectionError("the hub did not answer, and the cache holds another revision")
    _check_split(builder, data, where)
    return builder


def _load(data: HubData, where: str) -> Any:
    """One try to load a whole split."""
    builder = _builder(data, where)
    builder.download_and_prepare()
    _check_split(builder, data, where)
    return builder.as_dataset(split=data.split)


def _stream(data: HubText, where: str) -> list[dict[str, Any]]:
    """One try to read the rows asked for, and nothing behind them."""
    rows = _builder(data, where).as_streaming_dataset(split=data.split)
    return list(rows.skip(data.skip).take(data.limit))


def _check_split(builder: Any, data: HubData | HubText, where: str) -> None:
    # Some data sets declare their splits, and others have them only once they are here.
    known = builder.info.splits
    if known and data.split not in known:
        raise BadInput(f"{where}: no split {data.split!r} (splits: {', '.join(sorted(known))})")


def _tried(load: Callable[[Any, str], Any], data: HubData | HubText, source: HubSource | HubTexts, where: str) -> Any:
    """What `load` gives; tries again where the network failed.

    Raises:
        BadInput: see `read`.
    """
    datasets = _library()
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    for left in reversed(range(source.retries)):
        try:
            return load(data, where)
        except BadInput:
            raise
        except datasets.exceptions.DatasetNotFoundError as error:
            # A wrong name or revision stays wrong: no use in trying again.
            raise BadInput(f"{where}: {_one_line(error)}: check name and revision") from error
        except (datasets.exceptions.DatasetsError, ValueError) as error:
            raise BadInput(f"{where}: cannot be read ({_one_line(error)}): check configuration and split") from error
        except Exception as error:  # the network layers below raise many kinds
            if left == 0:
                tries = f"{source.retries} tries" if source.retries > 1 else "1 try"
                mend = (
                    "check the file's name" if isinstance(error, FileNotFoundError) else "check the network, run again"
                )
                raise BadInput(f"{where}: cannot be fetched after {tries} ({_one_line(error)}): {mend}") from error
            time.sleep(source.retry_seconds)
    raise AssertionError("retries is at least 1")


def _check_columns(wanted: Iterable[str], columns: Iterable[str], where: str) -> None:
    for column in wanted:
        if column not in columns:
            raise BadInput(f"{where}: column {column!r} missing (columns: {', '.join(sorted(columns))})")


def _text(row: Mapping[str, Any], column: str, where: str) -> str:
    """The text of one column, outer white space removed; empty where there is none."""
    if not isinstance(row[column], str | None):
        raise BadInput(f"{where}: column {column!r} holds {type(row[column]).__name__}, not text")
    return (row[column] or "").strip()


def _short(data: HubData | HubText) -> str:
    """A data set's name without its owner's."""
    return data.name.rsplit("/", 1)[-1]


def read(data: HubData, source: HubSource, where: str) -> tuple[list[Text], int]:
    """All examples of a split, in order, and how many rows were left out; tries again where the network failed.

    Rows without a document or a summary are left out and counted: public sets have some, and nobody can mend them.

    Args:
        data: which split, at which revision, and its columns.
        source: how often to try, and how long to wait between.
        where: the parameter to blame.

    Raises:
        BadInput: the library is missing, the data set, revision, split or a column is not there, a text is no text, or
            the hub did not answer after all tries.
    """
    where = f"{where}: {data.name} at revision {data.revision}"
    rows = _tried(_load, data, source, where)
    columns = (data.document, *data.references)
    _check_columns((*columns, *([data.identifier] if data.identifier else [])), rows.column_names, where)
    short = _short(data)
    texts, empty = [], 0
    for number, row in enumerate(rows, start=1):
        document, *references = [_text(row, name, where) for name in columns]
        if not document or not all(references):
            empty += 1
            continue
        identifier = str(row[data.identifier]) if data.identifier else f"{data.split}-{number}"
        texts.append(Text(f"{short}-{identifier}", short, document, tuple(references)))
    return texts, empty


def read_texts(data: HubText, source: HubTexts, where: str) -> tuple[list[Text], int]:
    """The texts of the rows asked for, in order, and how many of these rows are empty.

    Args:
        data: which rows of which split, at which revision.
        source: how often to try, and how long to wait between.
        where: the parameter to blame.

    Raises:
        BadInput: as `read`, or the split ends before the last row asked for.
    """
    where = f"{where}: {data.name} at revision {data.revision}" + (f", {data.file}" if data.file else "")
    rows = _tried(_stream, data, source, where)
    if len(rows) < data.limit:
        raise BadInput(
            f"{where}: split {data.split} has {len(rows)} rows after the first {data.skip}, "
            f"{data.limit} are asked for: ask for fewer"
        )
    short = _short(data)
    texts = []
    for number, row in enumerate(rows, start=data.skip + 1):
        _check_columns([data.text], row, where)
        if text := _text(row, data.text, where):
            texts.append(Text(f"{short}-{data.split}-{number}", short, text, ()))
    return texts, len(rows) - len(texts)


def _listed(source: HubSource | HubTexts) -> list[tuple[str, str, int, Any]]:
    """Split, parameter, number inside the split, and data of all that is to be read, held-out ones first.

    Attack evaluation comes first of all: where it is drawn from a test set's own split, the test set does without.

    Raises:
        BadInput: a revision is null, or a package is missing; before the first download, not after hours of them.
    """
    groups = [("attack_evaluation", "attack_evaluation", source.attack_evaluation)]
    groups += [(f"test_{name}", f"test.{name}", source.test[name]) for name in sorted(source.test)]
    groups += [(name, name, getattr(source, name)) for name in ("attack_optimization", "validation", "train")]
    listed: list[tuple[str, str, int, Any]] = []
    for split, key, several in groups:
        if isinstance(several, list):
            listed += [(split, f"corpus.source.{key}[{n}]", n, data) for n, data in enumerate(several)]
        else:
            listed.append((split, f"corpus.source.{key}", 0, several))
    for _, where, _, data in listed:
        if data.revision is None:
            raise BadInput(
                f"{where}.revision: null: put in the commit (40 hexadecimal digits) that "
                f"https://huggingface.co/datasets/{data.name}/commits/main shows"
            )
        if isinstance(data, HubText) and (data.file or "").endswith(".zst") and not find_spec("zstandard"):
            raise BadInput(f"{where}.file: {data.file} needs the package zstandard: pip install zstandard")
    return listed


def pools(source: HubSource) -> list[Pool]:
    """The study's splits, held-out ones first; each a seeded random sample of its `limit`, never a prefix.

    Raises:
        BadInput: see `read` and `_listed`.
    """
    found = []
    read_already: dict[str, tuple[list[Text], int]] = {}
    for split, where, number, data in _listed(source):
        # A split that serves two purposes is fetched once.
        key = data.model_copy(update={"limit": None}).model_dump_json()
        if key not in read_already:
            read_already[key] = read(data, source, where)
        texts, empty = read_already[key]
        mixed = shuffled(texts, source.data_seed, f"{split}/{number}")
        found.append(Pool(split, mixed, data.limit, where, empty))
    return found


def text_pools(source: HubTexts, words: int) -> tuple[list[Pool], dict[str, int]]:
    """The study's splits, held-out ones first; each takes all usable texts of its rows, in a seeded order.

    Args:
        source: which rows.
        words: an attack takes only texts of at least so many; shorter ones are left out.

    Returns:
        The pools, and how many texts were too short, by their parameter.

    Raises:
        BadInput: see `read_texts` and `_listed`.
    """
    found, short = [], {}
    for split, where, _, data in _listed(source):
        texts, empty = read_texts(data, source, where)
        if split.startswith("attack_"):
            long = [text for text in texts if len(text.document.split()) >= words]
            if len(long) < len(texts):
                short[f"{where}: shorter than {words} words"] = len(texts) - len(long)
            texts = long
        found.append(Pool(split, shuffled(texts, source.data_seed, split), None, where, empty))
    return found, short
