"""`cellgate train`: train a network on labelled cells and write a bundle."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path, PurePath
from typing import Annotated

import typer

from engines.cells._cells import Cells
from engines.cells._npz import read_npz
from engines.errors import InputError
from engines.training._entry import require_extra, train
from engines.training._recipe import Recipe

_DIGITAL = re.compile(r"digital(?::([1-9][0-9]{0,6}))?")
_DIGITAL_CELLS = 20_000


def train_command(
    cells: Annotated[str, typer.Argument(help="An .npz of labelled cells, or digital[:N] for N rendered ones.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory of the bundle to write.")],
    network: Annotated[str, typer.Option(help="deepflow, student or student-wide.")] = "deepflow",
    channels: Annotated[
        str | None, typer.Option(help="Channels, comma separated, in order. All but the guide by default.")
    ] = None,
    guide: Annotated[
        str | None, typer.Option(help="A recorded channel the network learns to foretell but is not shown.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training cells.")] = Recipe.epochs,
    seed: Annotated[int, typer.Option(help="Of the split, the weights and the augmentation.")] = 0,
    threads: Annotated[int | None, typer.Option(help="PyTorch's threads; its own choice by default.")] = None,
    bfloat16: Annotated[bool, typer.Option(help="Compute in bfloat16: faster on AVX-512 BF16.")] = False,
) -> None:
    """Train a network on labelled cells and write a bundle."""
    require_extra()
    chosen = None if channels is None else tuple(name.strip() for name in channels.split(","))
    bundle = train(
        load(cells, seed),
        out=out,
        network=network,
        channels=chosen,
        guide=guide,
        recipe=dataclasses.replace(Recipe(), epochs=epochs, bfloat16=bfloat16),
        seed=seed,
        threads=threads,
        command=_command(cells, out, network, channels, guide, epochs, seed, threads, bfloat16=bfloat16),
    )
    figures = bundle.manifest.metrics.get("test")
    if isinstance(figures, dict):
        typer.echo(
            f"{bundle.manifest.name}: {figures['cells']} held-out cells: accuracy {figures['accuracy']:.4f}, "
            f"balanced accuracy {figures['balanced_accuracy']:.4f}, calibration error {figures['ece']:.4f}"
        )


def load(cells: str, seed: int) -> Cells:
    """Read the cells of a file, or render `digital[:N]` ones, every class as likely as the others.

    Raises
    ------
    InputError, CellsError
        `digital:` is followed by something else than a number, or the file cannot be read.
    """
    found = _DIGITAL.fullmatch(cells)
    if found is None:
        if cells.startswith("digital:"):
            raise InputError("train", "cells", cells, "digital:N with N from 1 to 9999999")
        return read_npz(cells)
    from engines.cells.digital import PHASES, render

    count = int(found[1] or _DIGITAL_CELLS)
    rendered = render(count, seed=seed, class_mix=dict.fromkeys(PHASES, 1.0))
    return dataclasses.replace(rendered, name=f"digital:{count}")


def _command(
    cells: str,
    out: Path,
    network: str,
    channels: str | None,
    guide: str | None,
    epochs: int,
    seed: int,
    threads: int | None,
    *,
    bfloat16: bool,
) -> str:
    """Return the command as typed, files by their names only: a manifest does not tell where a user keeps them."""
    words = ["cellgate train", PurePath(cells).name, f"--out {out.name}", f"--network {network}"]
    words += [] if channels is None else [f"--channels {channels}"]
    words += [] if guide is None else [f"--guide {guide}"]
    words += [f"--epochs {epochs}", f"--seed {seed}"]
    words += [] if threads is None else [f"--threads {threads}"]
    words += ["--bfloat16"] if bfloat16 else []
    return " ".join(words)
