"""What a recording holds, in figures, within bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from engines.cells._recording import Cell, Recording
from engines.cells._size import spread
from engines.errors import CellsError

LOOK_AT = 10_000
_MAX_FACTS = 256


@dataclass
class Summary:
    """Figures of a recording.

    Attributes
    ----------
    cells
        How many can be read, as far as the file says.
    looked_at
        How many were read for the figures below.
    sampled
        Whether only some were asked for, spread evenly over the recording.
    heights, widths
        Smallest, median and largest, pixels.
    classes, groups
        Cells looked at of each; `unlabelled` those without a class.
    trigger_rate
        Cells per second from the first trigger to the last; None where there are no times.
    facts
        Names of what else is said of a cell.
    """

    name: str
    kind: str
    cells: int
    looked_at: int = 0
    sampled: bool = False
    heights: tuple[float, float, float] = (0, 0, 0)
    widths: tuple[float, float, float] = (0, 0, 0)
    channels: tuple[str, ...] = ()
    dtype: str = ""
    pixel_um: float | None = None
    classes: dict[str, int] = field(default_factory=dict)
    unlabelled: int = 0
    groups: dict[str, int] = field(default_factory=dict)
    trigger_rate: float | None = None
    facts: tuple[str, ...] = ()
    skipped: dict[str, int] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)


def summarise(recording: Recording, *, look_at: int = LOOK_AT) -> Summary:
    """Read cells, at most `look_at` of them spread evenly, and return the figures.

    Raises `CellsError` only where the recording as a whole cannot be read; damaged cells are counted in `skipped`.
    """
    summary = Summary(recording.name, recording.kind, len(recording))
    summary.channels, summary.dtype = recording.channels, recording.dtype.name
    summary.pixel_um = recording.pixel_um
    classes: Counter[int] = Counter()
    groups: Counter[str] = Counter()
    facts: dict[str, None] = {}
    sides: list[tuple[int, int]] = []
    times: list[tuple[int, float]] = []
    for index, cell in _some(recording, look_at):
        sides.append((cell.frame.shape[1], cell.frame.shape[2]))
        classes[cell.label] += 1
        groups[cell.group] += 1
        if len(facts) < _MAX_FACTS:
            facts.update(dict.fromkeys(cell.facts))
        if cell.trigger_s is not None:
            times = [*times[:1], (index, cell.trigger_s)]
    summary.sampled = len(recording) > look_at
    summary.looked_at, summary.facts = len(sides), tuple(facts)
    if sides:
        low, middle, high = np.percentile(np.array(sides), [0, 50, 100], axis=0).tolist()
        summary.heights, summary.widths = (low[0], middle[0], high[0]), (low[1], middle[1], high[1])
    summary.classes = {name: classes[index] for index, name in enumerate(recording.classes)}
    summary.unlabelled = classes[-1]
    summary.groups = {name: n for name, n in sorted(groups.items()) if name}
    summary.trigger_rate = _rate(times)
    summary.skipped, summary.about = dict(recording.skipped), dict(recording.about)
    return summary


def _some(recording: Recording, look_at: int) -> Iterator[tuple[int, Cell]]:
    if len(recording) <= look_at:
        yield from enumerate(recording)
        return
    for index in spread(len(recording), look_at):
        try:
            cell = recording[index]
        except CellsError as error:
            recording.skipped[f"{error.field}: {error.found}"] += 1
        else:
            yield index, cell


def _rate(times: list[tuple[int, float]]) -> float | None:
    if len(times) < 2:
        return None
    (first, begin), (last, end) = times[0], times[-1]
    return (last - first) / (end - begin) if end > begin else None
