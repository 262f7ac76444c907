"""`cellgate verify`: whether an engine answers as the FP32 reference does, and decides as it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engines.backends import DEFAULT_LADDER, ENGINES
from engines.cells import HINT_HELP, parse_hints
from engines.errors import InputError
from engines.verify import ClassGates, Judge, compare, material
from engines.verify.cli import cells_for, load, parse_ladder, parse_precision, tell, unseen
from streamer.config import load_config
from streamer.decision import ConfiguredGates


def verify_command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's directory, or jurkat or digital.")],
    engine: Annotated[str, typer.Option(help=f"Engine to try: {', '.join(ENGINES)}.")] = "auto",
    precision: Annotated[str, typer.Option(help="Arithmetic to try: fp32, int8, or fp16 on a GPU.")] = "fp32",
    cells: Annotated[
        str | None, typer.Option(metavar="FILE", help="Recorded cells to compare on, or digital[:N].")
    ] = None,
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="Compare decisions by the gates of this configuration."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Else by a gate for each class, from this probability on; by default 0.5."),
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Of the inference; 0: one per core but one.")] = 0,
    ladder: Annotated[str, typer.Option(metavar="SIZES", help="Batch sizes, separated by commas, or auto.")] = ",".join(
        map(str, DEFAULT_LADDER)
    ),
    json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Compare an engine with the FP32 reference on cells; refuse it (exit code 2) where it differs too much."""
    exact = parse_precision("verify", precision)
    rungs = parse_ladder("verify", ladder)
    loaded = load(bundle)
    judge: Judge = ClassGates(loaded.classes, 0.5 if threshold is None else threshold)
    if config is not None:
        if threshold is not None:
            raise InputError("verify", "--threshold", threshold, "none beside --config, whose gates have their own")
        judge = ConfiguredGates(load_config(config), loaded.manifest)
    found = unseen(material(loaded, cells_for(loaded, cells, parse_hints(hint))))
    verdict = compare(
        loaded,
        found.frames,
        found.labels,
        engine=engine,
        precision=exact,
        threads=threads,
        ladder=rungs,
        judge=judge,
    )
    seen = int(found.seen.sum())
    if json:
        about = {"bundle": loaded.sha256, "source": found.name, "seen_cells": seen}
        typer.echo(msgspec.json.format(msgspec.json.encode({**about, **verdict.figures()}), indent=2))
    else:
        tell(verdict, found.name, seen)
    verdict.require()
