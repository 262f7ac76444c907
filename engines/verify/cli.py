"""`cellgate verify`: whether an engine answers as the FP32 reference does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast, get_args

import msgspec
import typer

from engines.backends import ENGINES
from engines.bundle import Bundle, Precision, find_bundle, load_bundle
from engines.cells import HINT_HELP, Cells, open_cells, parse_hints
from engines.errors import InputError
from engines.verify._compare import compare
from engines.verify._material import Material, material
from engines.verify._verdict import MIN_CELLS, Verdict

MOST_CELLS = 20_000
RENDERED_CELLS = 6_000


def verify_command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's directory, or jurkat or digital.")],
    engine: Annotated[str, typer.Option(help=f"Engine to try: {', '.join(ENGINES)}.")] = "auto",
    precision: Annotated[str, typer.Option(help="Which of the bundle's graphs: fp32 or int8.")] = "fp32",
    cells: Annotated[
        str | None, typer.Option(metavar="FILE", help="Recorded cells to compare on, or digital[:N].")
    ] = None,
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Probability from which on a gate keeps a cell.")
    ] = 0.5,
    threads: Annotated[int, typer.Option(min=0, help="Of the inference; 0: one per core but one.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Compare an engine with the FP32 reference on cells; refuse it (exit code 2) where its answers differ too much."""
    exact = parse_precision("verify", precision)
    loaded = load(bundle)
    loaded.graph(exact)
    found = unseen(material(loaded, cells_for(loaded, cells, parse_hints(hint))))
    verdict = compare(
        loaded, found.frames, found.labels, engine=engine, precision=exact, threads=threads, threshold=threshold
    )
    seen = int(found.seen.sum())
    if json:
        about = {"bundle": loaded.sha256, "source": found.name, "seen_cells": seen}
        typer.echo(msgspec.json.format(msgspec.json.encode({**about, **verdict.figures()}), indent=2))
    else:
        tell(verdict, found.name, seen)
    verdict.require()


def load(bundle: str) -> Bundle:
    """Load the bundle in a directory of this name or, where there is none, the shipped one."""
    return load_bundle(find_bundle(bundle))


def parse_precision(command: str, precision: str) -> Precision:
    """Return the precision of this name; `InputError` where there is none."""
    if precision not in get_args(Precision):
        raise InputError(command, "--precision", precision, " or ".join(get_args(Precision)))
    return cast("Precision", precision)


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
        f"changed p ≥ {verdict.threshold:g}": ", ".join(f"{k} {n}" for k, n in verdict.changed_decisions.items()),
    }
    if verdict.accuracy is not None:
        rows["accuracy"] = f"{verdict.accuracy:.4f}, reference {verdict.reference_accuracy:.4f} ({verdict.labelled})"
    rows["verdict"] = "answers as the reference does" if verdict.passed else "refused"
    width = max(map(len, rows))
    for key, value in rows.items():
        typer.echo(f"{key:<{width}}  {value}")
