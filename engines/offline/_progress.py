"""Show how far a run over a recording is: cells, rate, time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(cells: int, what: str) -> Iterator[Callable[[int], None]]:
    """Yield what to call with the number of cells done; draws a bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=cells, rate="")
        first: list[tuple[float, int]] = []

        def report(done: int) -> None:
            now = time.monotonic()
            first[:] = first or [(now, done)]
            seconds, behind = now - first[0][0], done - first[0][1]
            rate = f"{behind / seconds:,.0f} cells/s" if seconds > 0 and behind else ""
            bar.update(task, completed=done, rate=rate)

        yield report
