"""Show how a training run goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from engines.training._train import Report

_LINES = 20


@contextmanager
def progress(epochs: int, *, quiet: bool) -> Iterator[Report]:
    """Yield what to call after each step and epoch.

    Draws a bar with the time left on standard error, and a line of figures for every twentieth of the run.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as bar:
        task = bar.add_task("training", total=1.0)

        def report(share: float, epoch: int, figures: dict[str, float] | None) -> None:
            bar.update(task, completed=share)
            if figures is not None and (epoch == epochs or epoch % max(1, epochs // _LINES) == 0):
                text = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
                bar.console.print(f"epoch {epoch:4d}  {text}", highlight=False)

        yield report
