"""`cellgate quantise`: add an int8 graph to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engines.cells import HINT_HELP, parse_hints
from engines.quantise._entry import require_extra
from engines.quantise._into_bundle import PRECISION, Added, add_int8
from engines.quantise._speed import speed
from engines.verify import material
from engines.verify.cli import cells_for, load, tell


def quantise_command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's directory, or jurkat or digital.")],
    cells: Annotated[
        str, typer.Option(metavar="FILE", help="Recorded cells like those it was trained on, or digital[:N].")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="The new bundle; by default BUNDLE-int8.")
    ] = None,
    keep_float: Annotated[
        list[str] | None, typer.Option(metavar="LAYER", help="A layer to leave in float; can be given repeatedly.")
    ] = None,
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
    threads: Annotated[int, typer.Option(min=0, help="Of the inference; 0: one per core but one.")] = 0,
) -> None:
    """Write a bundle with int8 graphs beside the FP32 one, if they answer like that one on cells it has not seen."""
    require_extra()
    loaded = load(bundle)
    directory = Path(f"{loaded.path.resolve().name}-{PRECISION}") if out is None else out
    found = material(loaded, cells_for(loaded, cells, parse_hints(hint)))
    added = add_int8(loaded, found, directory, keep_float=keep_float, threads=threads)
    tell(added.cpu.verdict, found.name, added.seen)
    _tell_gpu(added)
    # Imported here: OpenVINO takes a fifth of a second to load, and `cellgate --help` does not need it.
    from engines.quantise._runtime import layers_in_int8

    made = added.cpu.quantised
    running = layers_in_int8(made.model, made.quantised, loaded.frame_shape)
    total = len(made.quantised) + len(made.kept_float)
    typer.echo(
        f"{len(made.quantised)} of {total} layers quantised, {made.share:.1%} of the multiply-adds; "
        f"{len(running)} of them run in int8 on this processor"
    )
    for rung, (before, after) in speed(added.bundle, found.frames, PRECISION, threads=threads).items():
        typer.echo(f"batch {rung:<3} {before:,.0f} → {after:,.0f} cells/s, ×{after / before:.2f}")
    typer.echo(f"written: {directory}")


def _tell_gpu(added: Added) -> None:
    verdict = added.gpu.verdict
    typer.echo(
        f"for GPUs: {verdict.changed_classes} changed classes ({verdict.changed_share:.2%}), "
        f"{verdict.changed_decisions} changed decisions, "
        f"probability error mean {verdict.mean_probability_error:.2g}, max {verdict.max_probability_error:.2g}"
    )
    if not verdict.passed:
        typer.echo(f"for GPUs: left out: {'; '.join(verdict.refusals)}")
