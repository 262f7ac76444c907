"""What the demo plays: which cells, on which bundle, sorted by which gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.bundle import Bundle, load_bundle, pretrained
from engines.cells import Cells, open_cells
from engines.errors import InputError

MITOTIC = ("Prophase", "Metaphase", "Anaphase", "Telophase")
DIGITAL_CELLS = 4096
DEBRIS, DOUBLETS = 0.03, 0.02


@dataclass(frozen=True)
class Setting:
    """The cells to play (none of which the bundle was trained on), and what they are played to.

    `left_out` is how many of the given cells were left out because the bundle has seen them in training.
    """

    bundle: Bundle
    cells: Cells
    left_out: int
    rate: float


def choose_setting(
    cells: str | None, bundle: Path | None, rate: float | None, seed: int, hints: Mapping[str, Any] | None = None
) -> Setting:
    """Choose cells and bundle: digital cells on the `digital` bundle unless told otherwise.

    `hints` are for the reader of recorded cells, as for `open_cells`.

    Raises
    ------
    InputError
        The cells lack a channel of the bundle, or all of them were used to train it; hints without recorded cells.
    """
    if cells is None and hints:
        raise InputError("demo", "--hint", ", ".join(hints), "--cells, a recording to read with it")
    if cells is None:
        from engines.cells.digital import render

        chosen = load_bundle(bundle or pretrained("digital"))
        shown = render(DIGITAL_CELLS, seed=seed + 1_000_003, debris=DEBRIS, doublets=DOUBLETS)
        return Setting(chosen, shown, 0, rate or 1000.0)
    given = open_cells(cells, seed=seed, hints=hints)
    chosen = load_bundle(bundle or pretrained("jurkat"))
    lacking = [name for name in chosen.manifest.input.channels if name not in given.channels]
    if lacking:
        raise InputError(
            cells, "channels", ", ".join(given.channels), f"also {', '.join(lacking)}, which the bundle takes"
        )
    seen = chosen.seen(given.select(chosen.manifest.input.channels))
    if seen.all():
        raise InputError(cells, "cells", f"{len(given)}, all used to train the bundle", "some that were kept apart")
    kept = given.subset(np.flatnonzero(~seen)) if seen.any() else given
    return Setting(chosen, kept, int(seen.sum()), rate or 300.0)


def gates_for(classes: tuple[str, ...]) -> list[dict[str, object]]:
    """Return two gates as a configuration has them: dividing cells to the left, G2 to the right.

    For a bundle with other classes: its first class to the left.
    """
    mitotic = [name for name in MITOTIC if name in classes]
    left: dict[str, object]
    if mitotic:
        left = {"name": "mitotic", "way": "left", "where": {"+".join(mitotic): {"min": 0.5}}}
        return [left, {"name": "G2", "way": "right", "where": {"G2": {"min": 0.5}}}] if "G2" in classes else [left]
    return [{"name": classes[0].replace("+", " "), "way": "left", "where": {classes[0]: {"min": 0.5}}}]
