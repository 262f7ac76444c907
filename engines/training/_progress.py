"""Show how a training run goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.training._train import Report

_LINES = 20


@contextmanager
def progress(epochs: int, *, quiet: bool) -> Iterator[Report]:
    """Yield what to call after each epoch; draws a bar on standard error, and a line for every twentieth of the run."""
    columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as bar:
        task = bar.add_task("epoch", total=epochs)

        def report(epoch: int, figures: dict[str, float]) -> None:
            bar.update(task, completed=epoch)
            if epoch == epochs or epoch % max(1, epochs // _LINES) == 0:
                text = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
                bar.console.print(f"epoch {epoch:4d}  {text}", highlight=False)

        yield report
