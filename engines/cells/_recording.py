"""A recording: recorded cells in a file or a folder, opened but not read, whatever its format."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engines.errors import CellsError

Frame = NDArray[np.generic]


def plain_text(text: str) -> str:
    """Return a name or text from a file or folder as every format can hold it: without NUL, and valid Unicode.

    A file name that is no UTF-8 comes from the system with lone surrogates, which no encoder takes; each, and each
    NUL, becomes U+FFFD.
    """
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "\ufffd")


def is_text(values: NDArray[np.generic]) -> bool:
    """Return whether every character of a NumPy text array is one; of others Python makes no text, but an error."""
    return not values.nbytes or int(np.ascontiguousarray(values).reshape(-1).view(np.uint32).max()) <= sys.maxunicode


@dataclass(frozen=True)
class Cell:
    """One recorded cell.

    Attributes
    ----------
    frame
        `(C, h, w)` raw counts, of the recording's dtype; `h` and `w` may differ from cell to cell.
    label
        Index into the recording's `classes`, -1 where the cell has none.
    group
        Plate, day, donor or flask the cell is from, for splits that keep groups whole; empty where unknown.
    trigger_s
        Seconds from the start of the recording to the cell's trigger, None where the file does not say.
    facts
        What else the file says of the cell, by name (object number, centre, scalar features): numbers or text.
    """

    frame: Frame
    label: int = -1
    group: str = ""
    trigger_s: float | None = None
    facts: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """Cells in a row, all of one size, as arrays and lists of equal length; the fields are those of `Cell`.

    `frames` is `(n, C, h, w)`, `labels` int16, `trigger_s` float64 with NaN where unknown.
    """

    frames: Frame
    labels: NDArray[np.int16]
    groups: list[str]
    trigger_s: NDArray[np.float64]
    facts: Mapping[str, list[float | int | None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)


class Recording(ABC):
    """Recorded cells, read one by one; a file larger than memory is no trouble.

    A reader derives from this class, sets the attributes in its constructor and gives `__len__` and `__getitem__`;
    one that reads faster in order also overrides `cells`. It is a context manager that closes its file.

    Attributes
    ----------
    name
        Path as the user gave it, for messages.
    kind
        Name of the format, as `cellgate info` prints it: `npz`, `cif`, `rtdc` ….
    channels
        Channel names, in the order of a frame's axis 0.
    dtype
        Of the counts: uint8, uint16 or float32.
    classes
        Class names; empty where the cells are not labelled.
    shape
        `(height, width)` that every cell has, None where sizes differ.
    pixel_um
        Edge of a pixel in the object plane, µm; None where the file does not say.
    about
        What the file says of itself, by name: instrument, date, settings.
    skipped
        Cells the file names but that were not handed out so far, counted by reason in plain words. Nothing is ever
        left out without being counted here.
    """

    name: str
    kind: str
    channels: tuple[str, ...]
    dtype: np.dtype[np.generic]
    classes: tuple[str, ...] = ()
    shape: tuple[int, int] | None = None
    pixel_um: float | None = None
    about: Mapping[str, str]
    skipped: Counter[str]

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of cells that can be read."""

    @abstractmethod
    def __getitem__(self, index: int) -> Cell:
        """Return the cell at 0 ≤ index < len; `CellsError` where the file is damaged there."""

    def cells(self, start: int = 0) -> Iterator[Cell]:
        """Yield the cells in order from `start`. One that turns out to be damaged is counted in `skipped`."""
        for index in range(start, len(self)):
            try:
                cell = self[index]
            except CellsError as error:
                self.skipped[f"{error.field}: {error.found}"] += 1
            else:
                yield cell

    def span(self, start: int, stop: int) -> Span | None:
        """Return the cells `start` to `stop` at once; None where one cannot be read, or where it would be no faster.

        A reader whose file keeps cells of one size side by side overrides it.
        """
        return None

    def __iter__(self) -> Iterator[Cell]:
        return self.cells()

    def close(self) -> None:  # noqa: B027 - a reader without an open file has nothing to close
        """Let go of the file. A closed recording is not read again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
