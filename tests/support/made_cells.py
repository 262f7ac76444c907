"""A recording made by hand, and folders of images, for tests of what works on any recording."""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from engines.cells import Cell, Recording
from engines.errors import CellsError


class MadeRecording(Recording):
    """Hands out these frames; None is a damaged cell. Remembers which cells were asked for."""

    kind = "made"

    def __init__(self, frames, *, labels=None, groups=None, classes=(), times=None, shape=None, channels=("a", "b")):
        self.name = "made by hand"
        self.channels = channels
        self.dtype = next(frame.dtype for frame in frames if frame is not None)
        self.classes, self.shape, self.pixel_um = classes, shape, 0.5
        self.about, self.skipped = {"instrument": "none"}, Counter()
        self.asked = []
        self._frames, self._labels, self._groups, self._times = frames, labels, groups, times

    def __len__(self):
        return len(self._frames)

    def __getitem__(self, index):
        self.asked.append(index)
        frame = self._frames[index]
        if frame is None:
            raise CellsError(self.name, "frame", "a scratch", "a whole one")
        return Cell(
            frame,
            -1 if self._labels is None else self._labels[index],
            "" if self._groups is None else self._groups[index],
            None if self._times is None else self._times[index],
            {"number": index},
        )


def constant(level, height, width, *, channels=2, dtype=np.uint16):
    """Return a frame of one count everywhere."""
    return np.full((channels, height, width), level, dtype)


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Write an image by the ending of its name; folders are made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".tif", ".tiff"):
        import tifffile

        tifffile.imwrite(path, pixels, photometric="minisblack")
    else:
        Image.fromarray(pixels).save(path)
