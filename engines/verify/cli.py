"""What the commands that compare engines share: options, cells, and how figures are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

import typer

from engines.backends import Arithmetic, Ladder, check_ladder
from engines.bundle import Bundle, find_bundle, load_bundle
from engines.cells import Cells, open_cells
from engines.errors import InputError
from engines.verify._material import Material
from engines.verify._verdict import MIN_CELLS, Verdict

MOST_CELLS = 20_000
RENDERED_CELLS = 6_000


def load(bundle: str) -> Bundle:
    """Load the bundle in a directory of this name or, where there is none, the shipped one."""
    return load_bundle(find_bundle(bundle))


def parse_precision(command: str, precision: str) -> Arithmetic:
    """Return the precision of this name; `InputError` where there is none."""
    if precision not in get_args(Arithmetic):
        raise InputError(command, "--precision", precision, " or ".join(get_args(Arithmetic)))
    return cast("Arithmetic", precision)


def parse_ladder(command: str, text: str) -> Ladder:
    """Return `1,8,32` as numbers, and `auto` as it is; `InputError` where it is neither."""
    if text == "auto":
        return "auto"
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 8 for part in parts):
        raise InputError(command, "--ladder", text, "batch sizes separated by commas, for instance 1,8,32, or auto")
    return check_ladder(int(part) for part in parts)


def cells_for(bundle: Bundle, cells: str | None, hints: Mapping[str, Any]) -> Cells:
    """Open the cells of this name; rendered ones where there is none and they have the bundle's channels."""
    if cells is not None:
        return open_cells(cells, limit=MOST_CELLS, hints=hints)
    from engines.cells.digital import CHANNELS

    wanted = bundle.manifest.input.channels
    if not set(wanted) <= set(CHANNELS):
        raise InputError(
            bundle.manifest.name,
            "--cells",
            "nothing",
            f"a file of cells: rendered ones have {', '.join(CHANNELS)}, this bundle takes {', '.join(wanted)}",
        )
    return open_cells("digital", digital=RENDERED_CELLS, uniform_mix=True, hints=hints)


def unseen(cells: Material) -> Material:
    """Return those the bundle was not trained on, where they are enough to say anything; else all."""
    fresh = ~cells.seen
    return cells.subset(fresh) if int(fresh.sum()) >= MIN_CELLS else cells


def tell(verdict: Verdict, source: str, seen: int) -> None:
    """Print the figures, one a line; `seen` cells of `source` were looked at in training."""
    about = "none the bundle was trained on" if not seen else f"{seen} of them the bundle was trained on"
    rows = {
        "engine": verdict.engine,
        "reference": f"{verdict.reference}, batches of 32",
        "cells": f"{verdict.cells} of {source}, {about}",
        "changed classes": f"{verdict.changed_classes} ({verdict.changed_share:.2%})",
        "probability error": f"mean {verdict.mean_probability_error:.2g}, max {verdict.max_probability_error:.2g}",
        "embedding error": f"at most {verdict.max_relative_embedding_error:.2g} of a feature's largest value",
        "measurement error": f"at most {verdict.max_relative_measurement_error:.2g} of a measurement's largest value",
        "changed decisions": f"{verdict.changed_decisions} ({verdict.changed_decision_share:.2%}){_each(verdict)}",
    }
    if verdict.accuracy is not None:
        rows["accuracy"] = f"{verdict.accuracy:.4f}, reference {verdict.reference_accuracy:.4f} ({verdict.labelled})"
    rows["verdict"] = "answers as the reference does" if verdict.passed else "refused"
    width = max(map(len, rows))
    for key, value in rows.items():
        typer.echo(f"{key:<{width}}  {value}")


def _each(verdict: Verdict) -> str:
    """Return how many cells changed by decision, where there are any."""
    changed = [f"{name} {count}" for name, count in verdict.decisions.items() if count]
    return f": {', '.join(changed)}" if changed else f" of {', '.join(verdict.decisions)}"
