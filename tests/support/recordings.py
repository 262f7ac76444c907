"""Recordings in memory that misbehave where they are told to."""

from collections import Counter

import numpy as np

from engines.cells import Cell, Recording
from engines.errors import CellsError
from tests.support.toy import CHANNELS, CLASSES, toy_frames


class Fake(Recording):
    """A recording of given frames; cells in `damaged` cannot be read, and reading ends with an error at `ends`."""

    kind = "fake"

    def __init__(self, frames, *, labels=None, groups=None, facts=None, triggers=None, damaged=(), ends=None):
        self.frames = list(frames)
        self.name, self.channels, self.dtype = "fake", CHANNELS, np.dtype(self.frames[0].dtype)
        shapes = {frame.shape[1:] for frame in self.frames}
        self.shape = shapes.pop() if len(shapes) == 1 else None
        self.classes = CLASSES if labels is not None else ()
        self.about, self.skipped = {"instrument": "none"}, Counter()
        self.labels, self.groups, self.facts, self.triggers = labels, groups, facts, triggers
        self.damaged, self.ends = set(damaged), ends

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        if index == self.ends:
            raise RuntimeError("the plug was pulled")
        if index in self.damaged:
            raise CellsError(self.name, "frame", "damage", "a whole frame")
        return Cell(
            self.frames[index],
            -1 if self.labels is None else int(self.labels[index]),
            "" if self.groups is None else self.groups[index],
            None if self.triggers is None else self.triggers[index],
            {} if self.facts is None else self.facts[index],
        )


def toy_recording(n, **changes):
    """Return n toy cells of all classes in turn, labelled."""
    classes = np.arange(n) % 3
    return Fake(toy_frames(classes), **{"labels": classes, **changes})
