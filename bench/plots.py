"""Draw what was measured, as PNG and SVG; needs matplotlib, the extra `plot`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from engines.errors import InputError, MissingExtraError

SIZE = (7.0, 4.5)


def require_plot() -> None:
    """Raise `MissingExtraError` where matplotlib is not installed."""
    try:
        import_module("matplotlib")
    except ImportError:
        raise MissingExtraError("drawing a bench (--plot)", "plot") from None


def draw(name: str, directory: Path, paint: Callable[[Any], None]) -> list[Path]:
    """Let `paint` fill a figure's axes, write them as NAME.svg and NAME.png, and return the files.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    InputError
        The directory cannot be written to.
    """
    require_plot()
    figure = import_module("matplotlib.figure").Figure(figsize=SIZE, layout="constrained")
    paint(figure.subplots())
    files = [directory / f"{name}.{kind}" for kind in ("svg", "png")]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file in files:
            figure.savefig(file)
    except OSError as error:
        raise InputError(directory, "--plot", error.strerror or str(error), "a directory to write to") from error
    return files


def paint_curves(axes: Any, curves: dict[str, dict[str, list[float]]], title: str) -> None:
    """Draw latency distributions: the share of cells that waited longer, both axes logarithmic, so that tails show."""
    for label, curve in curves.items():
        longer = [max(1.0 - share, 1e-9) for share in curve["share"]]
        axes.plot(curve["latency"], longer, drawstyle="steps-post", linewidth=1.4, label=label)
    axes.set(xscale="log", yscale="log", xlabel="planned sending to decision (µs)", ylabel="share that waited longer")
    axes.set(title=title)
    axes.grid(which="both", alpha=0.25)
    axes.legend()
