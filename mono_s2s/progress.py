"""Progress bars on standard error; nothing at all where that is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Bar(Protocol):
    """A bar that is moved by hand."""

    def advance(self, steps: int = 1) -> None:
        """Move on by `steps`."""

    def describe(self, text: str) -> None:
        """Replace the text before the bar."""


class _Quiet:
    def advance(self, steps: int = 1) -> None:
        pass

    def describe(self, text: str) -> None:
        pass


class _Rich:
    def __init__(self, progress, task) -> None:
        self._progress, self._task = progress, task

    def advance(self, steps: int = 1) -> None:
        self._progress.advance(self._task, steps)

    def describe(self, text: str) -> None:
        self._progress.update(self._task, description=text)


@contextmanager
def bar(description: str, total: int) -> Iterator[Bar]:
    """A bar of `total` steps, for the length of the block."""
    if not sys.stderr.isatty():
        yield _Quiet()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield _Rich(progress, progress.add_task(description, total=total))


def track(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Iterate over `items` under a bar of `total` steps."""
    with bar(description, total) as moving:
        for item in items:
            yield item
            moving.advance()
