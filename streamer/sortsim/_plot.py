"""Draw the trade-off between purity and yield."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from engines.errors import InputError, MissingExtraError
from streamer.sortsim._figures import Figures

AXES = {"window": "window (µs)", "rate": "cells per second", "wanted": "wanted fraction"}
LINES = (("purity", "purity"), ("yield_", "yield"), ("recovery", "recovery"), ("abort_rate", "aborted"))


def require_plot() -> None:
    """Raise `MissingExtraError` where matplotlib is not installed."""
    try:
        import_module("matplotlib")
    except ImportError:
        raise MissingExtraError("drawing the trade-off", "plot") from None


def draw_trade_off(name: str, values: Sequence[float], figures: Sequence[Figures], directory: Path) -> list[Path]:
    """Draw the figures over the values of a sweep, closed forms dashed, as SVG and PNG; return the files.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    InputError
        The directory cannot be written to.
    """
    require_plot()
    figure_type = import_module("matplotlib.figure").Figure
    figure = figure_type(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, (attribute, label) in enumerate(LINES):
        measured = [_or_nan(getattr(point, attribute)) for point in figures]
        key = attribute.rstrip("_")
        errors = [_or_nan(point.standard_errors[key]) for point in figures]
        predicted = [_or_nan(point.predicted[key]) for point in figures]
        axes.errorbar(values, measured, errors, fmt="o", markersize=4, color=f"C{number}", label=label)
        axes.plot(values, predicted, "--", linewidth=1, color=f"C{number}")
    mode = figures[0].setting["mode"]
    axes.set(xlabel=AXES[name], ylabel="share", ylim=(-0.02, 1.02), title=f"{mode} mode; dashed: an ideal sorter")
    axes.legend()
    files = [directory / f"trade-off-{name}.{kind}" for kind in ("svg", "png")]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file in files:
            figure.savefig(file)
    except OSError as error:
        raise InputError(directory, "--plot", error.strerror or str(error), "a directory to write to") from error
    return files


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
