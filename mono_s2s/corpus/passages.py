"""Texts from files: plain ones, cut at blank lines into passages, or JSONL with the text in one field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mono_s2s import files
from mono_s2s.corpus import jsonl
from mono_s2s.corpus.texts import Pool, Text, seeded
from mono_s2s.files import BadInput
from mono_s2s.sources import TextFile, TextFiles

_BLANK = re.compile(r"\n(?:[ \t]*\n)+")


def cut(text: str, characters: int) -> list[str]:
    """Paragraphs joined, a blank line between, to passages of at least `characters`.

    What is left at the end is too short for a passage and goes to the last one; a text without enough for one passage
    is one.
    """
    passages: list[str] = []
    current = ""
    for paragraph in _BLANK.split(text):
        if not paragraph.strip():
            continue
        current = f"{current}\n\n{paragraph}" if current else paragraph
        if len(current) >= characters:
            passages.append(current)
            current = ""
    if current and passages:
        passages[-1] = f"{passages[-1]}\n\n{current}"
    elif current:
        passages.append(current)
    return [passage.strip() for passage in passages]


def read(file: TextFile, characters: int, root: Path) -> list[Text]:
    """All texts of a file, in order.

    Raises:
        BadInput: the file is missing, empty, not UTF-8 or (JSONL) not well-formed, or a field is missing, empty or no
            text; names file and line.
    """
    # First of all, so that a wrong byte is named by its place in JSONL too.
    content = jsonl.decoded(root / file.path, file.path)
    if file.field is None:
        found = cut(content, characters)
    else:
        rows = files.read_jsonl(root / file.path)
        found = [
            jsonl.field(row, file.field, f"{file.path}, line {number}") for number, row in enumerate(rows, start=1)
        ]
    if not found:
        raise BadInput(f"{file.path}: empty, not one text")
    return [Text(f"{file.stem}-{number}", file.stem, text, ()) for number, text in enumerate(found, start=1)]


class _Queue:
    """Texts in order, each handed out once; a long one may be taken from between short ones."""

    def __init__(self, texts: list[Text]) -> None:
        self.left = texts

    def of_at_least(self, words: int) -> Iterator[Text]:
        at = 0
        while at < len(self.left):
            if len(self.left[at].document.split()) >= words:
                yield self.left.pop(at)
            else:
                at += 1


def pools(source: TextFiles, raw: Path, root: Path, pretraining: int | None, words: int) -> list[Pool]:
    """The study's splits, held-out ones first, from all files' texts in one seeded order.

    Args:
        source: files and sizes.
        raw: the folder in which all files must lie, relative to `root`; DVC watches this one.
        root: the top folder.
        pretraining: how many texts the standard model is trained on; None: it comes from the hub.
        words: an attack takes only texts of at least so many; shorter ones stay for the other splits.

    Raises:
        BadInput: a file lies elsewhere; else see `read`.
    """
    jsonl.watched([file.path for file in source.files], raw, root)
    texts = [text for file in source.files for text in read(file, source.passage_characters, root)]
    seeded(source.data_seed, "texts").shuffle(texts)
    queue = _Queue(texts)
    test = source.files[0].stem if len(source.files) == 1 else "text"
    where = "corpus.source"
    found = [
        Pool("attack_evaluation", queue.of_at_least(words), source.attack_evaluation, f"{where}.attack_evaluation"),
        Pool(f"test_{test}", queue.of_at_least(0), source.test, f"{where}.test"),
        Pool(
            "attack_optimization", queue.of_at_least(words), source.attack_optimization, f"{where}.attack_optimization"
        ),
        Pool("validation", queue.of_at_least(0), source.validation, f"{where}.validation"),
    ]
    if pretraining is not None:
        found.append(Pool("pretraining", queue.of_at_least(0), pretraining, "corpus.pretraining.documents"))
    return [*found, Pool("train", queue.of_at_least(0), None, f"{where}.files")]
