"""Open recorded cells as one array, or render digital ones, by what a command line says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engines.bundle import Fit
from engines.cells._cells import Cells
from engines.cells._gather import Progress, gather
from engines.cells._readers import open_recording
from engines.errors import InputError

_DIGITAL = re.compile(r"digital(?::(\d{1,7}))?")
DEFAULT_DIGITAL = 4096


def open_cells(
    source: str | Path,
    *,
    seed: int = 0,
    digital: int = DEFAULT_DIGITAL,
    uniform_mix: bool = False,
    size: tuple[int, int] | None = None,
    fit: Fit = "crop-pad",
    channels: Iterable[str] | None = None,
    limit: int | None = None,
    memory: int | None = None,
    directory: Path | None = None,
    progress: Progress | None = None,
    **hints: Any,
) -> Cells:
    """Return the cells that `source` names, in one array of one size: a path, or `digital[:N]` for N rendered cells.

    Parameters
    ----------
    seed, digital, uniform_mix
        Of rendered cells: the seed, the N where `source` says none, and every class equally likely instead of the mix
        of a growing culture.
    size, fit, channels, limit, memory, directory, progress
        Of recorded cells: as for `gather`.
    hints
        Of recorded cells: as for `open_recording`.

    Raises `CellsError` for a file that is none of cells, `InputError` for an N or another option that cannot be.
    """
    match = is_digital(source)
    if match is None:
        with open_recording(source, **hints) as recording:
            return gather(
                recording,
                size=size,
                fit=fit,
                channels=channels,
                limit=limit,
                memory=memory,
                directory=directory,
                progress=progress,
            )
    n = int(match[1] or digital)
    if not 1 <= n <= 1_000_000:
        raise InputError("cells", "digital:N", n, "1 to 1000000")
    from engines.cells.digital import PHASES, render

    return render(n, seed=seed, class_mix=dict.fromkeys(PHASES, 1.0) if uniform_mix else None)


def is_digital(source: str | Path) -> re.Match[str] | None:
    """Return the match of `digital[:N]` with N as its first group, None for a path."""
    return _DIGITAL.fullmatch(str(source))
