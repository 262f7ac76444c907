"""Open recorded cells as one array, or render digital ones, by what a command line says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.bundle import Fit
from engines.cells._cells import Cells
from engines.cells._gather import Progress, gather
from engines.cells._grouped import NO_GROUPS
from engines.cells._readers import open_recording
from engines.errors import InputError

_DIGITAL = re.compile(r"digital(?::(\d{1,7}))?")
DEFAULT_DIGITAL = 4096
_MOST_REASONS = 20


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
    groups: str | None = None,
    hints: Mapping[str, Any] | None = None,
) -> Cells:
    """Return the cells that `source` names, in one array of one size: a path, or `digital[:N]` for N rendered cells.

    Parameters
    ----------
    seed, digital, uniform_mix
        Of rendered cells: the seed, the N where `source` says none, and every class equally likely instead of the mix
        of a growing culture.
    size, fit, channels, limit, memory, directory, progress
        Of recorded cells: as for `gather`.
    groups
        Of recorded cells: as for `open_recording`; in place of a hint of this name.
    hints
        Of recorded cells: which reader (`kind`) and what else to tell it, as for `open_recording`.

    Raises `CellsError` for a file that is none of cells, `InputError` for an N or another option that cannot be.
    """
    match = is_digital(source)
    told = dict(hints or {})
    if match is None:
        hinted = told.pop("groups", None)
        key = hinted if groups is None else groups
        with open_recording(source, groups=None if key == NO_GROUPS else key, **told) as recording:
            cells = gather(
                recording,
                size=size,
                fit=fit,
                channels=channels,
                limit=limit,
                memory=memory,
                directory=directory,
                progress=progress,
            )
        return replace(cells, groups=None) if key == NO_GROUPS else cells
    for name, value in told.items():
        raise InputError(source, name, value, "no hint: rendered cells are not read")
    if groups not in (None, NO_GROUPS):
        raise InputError(source, "groups", groups, "none: rendered cells have no groups")
    n = int(match[1] or digital)
    if not 1 <= n <= 1_000_000:
        raise InputError("cells", "digital:N", n, "1 to 1000000")
    from engines.cells.digital import PHASES, render

    return render(n, seed=seed, class_mix=dict.fromkeys(PHASES, 1.0) if uniform_mix else None)


def is_digital(source: str | Path) -> re.Match[str] | None:
    """Return the match of `digital[:N]` with N as its first group, None for a path."""
    return _DIGITAL.fullmatch(str(source))


def skipped_lines(skipped: Mapping[str, int]) -> list[str]:
    """Return what was left out as lines of text, most cells first, without the control characters a file may hold."""
    told = sorted(skipped.items(), key=lambda item: -item[1])
    lines = [f"skipped {count}: {reason}" for reason, count in told[:_MOST_REASONS]]
    if len(told) > _MOST_REASONS:
        rest = sum(count for _, count in told[_MOST_REASONS:])
        lines.append(f"skipped {rest}: {len(told) - _MOST_REASONS} more reasons")
    return ["".join(c if c.isprintable() else " " for c in line) for line in lines]
