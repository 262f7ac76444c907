"""Show how far an evaluation has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(cells: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Yield what to call after each batch with its number of cells; draws a bar on standard error."""
    columns = (TextColumn("cells"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, quiet=quiet), transient=True) as bar:
        task = bar.add_task("cells", total=cells)

        def progressed(n: int) -> None:
            bar.advance(task, n)

        yield progressed
