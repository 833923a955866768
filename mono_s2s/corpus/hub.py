"""Documents from the Hugging Face hub, at pinned revisions: all of what was asked for, or an error.

Needs the optional extra `mono-s2s[hub]`. The published study's loader gave an empty training source after three failed
tries, and went on; this one stops.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from mono_s2s.corpus.texts import Pool, Text, shuffled
from mono_s2s.files import BadInput
from mono_s2s.sources import HubData, HubSource


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


def _load(data: HubData, where: str) -> Any:
    """One try to load a split at exactly its revision."""
    datasets = _library()
    builder = datasets.load_dataset_builder(data.name, data.configuration, revision=data.revision)
    # The library falls back to whatever revision lies in its cache when the hub cannot be reached.
    if builder.hash != data.revision:
        raise ConnectionError("the hub did not answer, and the cache holds another revision")
    _check_split(builder, data, where)
    builder.download_and_prepare()
    _check_split(builder, data, where)
    return builder.as_dataset(split=data.split)


def _check_split(builder: Any, data: HubData, where: str) -> None:
    # Some data sets declare their splits, and others have them only once they are here.
    known = builder.info.splits
    if known and data.split not in known:
        raise BadInput(f"{where}: no split {data.split!r} (splits: {', '.join(sorted(known))})")


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
    datasets = _library()
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    where = f"{where}: {data.name} at revision {data.revision}"
    for left in reversed(range(source.retries)):
        try:
            rows = _load(data, where)
            break
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
                raise BadInput(
                    f"{where}: cannot be fetched after {tries} ({_one_line(error)}): check the network, run again"
                ) from error
            time.sleep(source.retry_seconds)
    for column in (data.document, *data.references, *([data.identifier] if data.identifier else [])):
        if column not in rows.column_names:
            raise BadInput(f"{where}: column {column!r} missing (columns: {', '.join(sorted(rows.column_names))})")
    short = data.name.rsplit("/", 1)[-1]
    texts, empty = [], 0
    for number, row in enumerate(rows, start=1):
        for name in (data.document, *data.references):
            if not isinstance(row[name], str | None):
                raise BadInput(f"{where}: column {name!r} holds {type(row[name]).__name__}, not text")
        if not all((row[name] or "").strip() for name in (data.document, *data.references)):
            empty += 1
            continue
        identifier = str(row[data.identifier]) if data.identifier else f"{data.split}-{number}"
        references = tuple(row[name].strip() for name in data.references)
        texts.append(Text(f"{short}-{identifier}", short, row[data.document].strip(), references))
    return texts, empty


def pools(source: HubSource) -> list[Pool]:
    """The study's splits, held-out ones first; each a seeded random sample of its `limit`, never a prefix.

    Attack evaluation comes first of all: where it is drawn from a test set's own split, the test set does without.

    Raises:
        BadInput: see `read`.
    """
    groups: list[tuple[str, str, list[HubData]]] = [
        ("attack_evaluation", "attack_evaluation", [source.attack_evaluation])
    ]
    groups += [(f"test_{name}", f"test.{name}", [source.test[name]]) for name in sorted(source.test)]
    groups += [
        ("attack_optimization", "attack_optimization", [source.attack_optimization]),
        ("validation", "validation", source.validation),
        ("train", "train", source.train),
    ]
    listed = [
        (split, f"corpus.source.{key}" + (f"[{number}]" if split in ("train", "validation") else ""), number, data)
        for split, key, several in groups
        for number, data in enumerate(several)
    ]
    for _, where, _, data in listed:
        # Before the first download, not after hours of them.
        if data.revision is None:
            raise BadInput(
                f"{where}.revision: null: put in the commit (40 hexadecimal digits) that "
                f"https://huggingface.co/datasets/{data.name}/commits/main shows"
            )
    found = []
    read_already: dict[str, tuple[list[Text], int]] = {}
    for split, where, number, data in listed:
        # A split that serves two purposes is fetched once.
        key = data.model_copy(update={"limit": None}).model_dump_json()
        if key not in read_already:
            read_already[key] = read(data, source, where)
        texts, empty = read_already[key]
        mixed = shuffled(texts, source.data_seed, f"{split}/{number}")
        found.append(Pool(split, mixed, data.limit, where, empty))
    return found
