"""What an archive of cells says beside the frames: channels, labels, classes, groups, times, pixel size."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.cells._members import Member, load_small
from engines.errors import CellsError

DTYPES = ("uint8", "uint16", "float32")
NAMES = ("frames", "channels", "labels", "classes", "groups", "trigger_s", "pixel_um")
"""The arrays of an archive of cells; others in it are not looked at."""


@dataclass(frozen=True)
class Fields:
    """The checked fields: `labels` int16 `(n,)`, -1 unknown; `groups` text `(n,)`; `trigger_s` float64 `(n,)`."""

    channels: tuple[str, ...]
    classes: tuple[str, ...] = ()
    labels: NDArray[np.int16] | None = None
    groups: NDArray[np.str_] | None = None
    trigger_s: NDArray[np.float64] | None = None
    pixel_um: float | None = None


def read_fields(archive: zipfile.ZipFile, members: dict[str, Member], source: Path, groups: str = "groups") -> Fields:
    """Read the fields beside `frames`, whose header has been checked.

    `groups` is the name of the array of groups. Raises `CellsError`, or one of `BROKEN` where the archive is damaged.
    """
    reader = _Fields(archive, members, source)
    cells, channels = members["frames"].shape[:2]
    if "channels" not in members:
        raise CellsError(source, "channels", "nothing", "an array of this name")
    names = reader.names("channels")
    if len(names) != channels or len(set(names)) != len(names):
        raise CellsError(source, "channels", names, f"{channels} distinct names, one per channel of frames")
    return Fields(
        names,
        reader.names("classes") if "labels" in members and "classes" in members else (),
        reader.labels(cells),
        reader.groups(cells, groups),
        reader.triggers(cells),
        reader.pixel_um(),
    )


@dataclass(frozen=True)
class _Fields:
    archive: zipfile.ZipFile
    members: dict[str, Member]
    source: Path

    def names(self, key: str) -> tuple[str, ...]:
        return tuple(str(name) for name in np.atleast_1d(self._load(key)).reshape(-1))

    def labels(self, cells: int) -> NDArray[np.int16] | None:
        if "labels" not in self.members:
            return None
        if "classes" not in self.members:
            raise CellsError(self.source, "classes", "nothing", "the names that labels index")
        classes = len(self.names("classes"))
        member = self.members["labels"]
        if member.shape != (cells,) or member.dtype.kind not in "iu":
            raise CellsError(self.source, "labels", f"{member.dtype} {member.shape}", f"integers of shape ({cells},)")
        labels = self._load("labels")
        limit = min(classes, np.iinfo(np.int16).max)
        if int(labels.max()) >= limit:
            raise CellsError(self.source, "labels", int(labels.max()), f"below {limit}, the number of classes")
        return np.maximum(labels.astype(np.int64), -1).astype(np.int16)

    def groups(self, cells: int, key: str) -> NDArray[np.str_] | None:
        if key not in self.members:
            return None
        member = self.members[key]
        if member.shape != (cells,) or member.dtype.kind not in "iuU":
            found = f"{member.dtype} {member.shape}"
            raise CellsError(self.source, key, found, f"text or integers of shape ({cells},)")
        return self._load(key).astype(np.str_)

    def triggers(self, cells: int) -> NDArray[np.float64] | None:
        if "trigger_s" not in self.members:
            return None
        member = self.members["trigger_s"]
        if member.shape != (cells,) or member.dtype.kind != "f":
            found = f"{member.dtype} {member.shape}"
            raise CellsError(self.source, "trigger_s", found, f"seconds, floats of shape ({cells},)")
        triggers = self._load("trigger_s").astype(np.float64)
        if not np.isfinite(triggers).all():
            raise CellsError(self.source, "trigger_s", "NaN or infinite times", "seconds")
        return triggers

    def pixel_um(self) -> float | None:
        if "pixel_um" not in self.members:
            return None
        member = self.members["pixel_um"]
        if member.shape not in ((), (1,)) or member.dtype.kind not in "iuf":
            raise CellsError(self.source, "pixel_um", f"{member.dtype} {member.shape}", "one number of µm")
        size = float(self._load("pixel_um").reshape(-1)[0])
        if not 0 < size < 1e3:
            raise CellsError(self.source, "pixel_um", size, "above 0 and below 1000 µm")
        return size

    def _load(self, key: str) -> NDArray[np.generic]:
        return load_small(self.archive, self.members[key], self.source, key)
