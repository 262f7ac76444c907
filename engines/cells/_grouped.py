"""A recording whose cells are grouped by one of their facts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from engines.cells._recording import Cell, Recording
from engines.errors import CellsError, InputError

NO_GROUPS = "none"
_LOOK_AT = 64


class GroupedRecording(Recording):
    """The cells of another recording, their groups replaced by a fact of each, or taken away.

    Parameters
    ----------
    fact
        Name of the fact; a cell without it has no group. `none` takes all groups away.

    Raises
    ------
    InputError
        None of the first cells has this fact; it names those they have.
    """

    def __init__(self, recording: Recording, fact: str) -> None:
        self._recording, self._fact = recording, fact
        self.name, self.kind, self.about = recording.name, recording.kind, recording.about
        self.channels, self.dtype, self.classes = recording.channels, recording.dtype, recording.classes
        self.shape, self.pixel_um, self.skipped = recording.shape, recording.pixel_um, recording.skipped
        if fact != NO_GROUPS:
            self._check()

    def __len__(self) -> int:
        return len(self._recording)

    def __getitem__(self, index: int) -> Cell:
        return self._grouped(self._recording[index])

    def cells(self, start: int = 0) -> Iterator[Cell]:
        """Yield the cells in order from `start`, as the recording itself does."""
        return map(self._grouped, self._recording.cells(start))

    def close(self) -> None:
        """Close the recording."""
        self._recording.close()

    def _check(self) -> None:
        there: dict[str, None] = {}
        for index in range(min(_LOOK_AT, len(self))):
            with suppress(CellsError):  # counted when the cell is asked for
                there |= dict.fromkeys(self._recording[index].facts)
            if self._fact in there:
                return
        names = f"a fact of the cells: {', '.join(there)}" if there else "none: these cells have no facts"
        raise InputError(self.name, "groups", self._fact, names)

    def _grouped(self, cell: Cell) -> Cell:
        value = cell.facts.get(self._fact, "")
        return replace(cell, group=str(int(value) if isinstance(value, float) and value.is_integer() else value))
