"""Name cells by what they hold."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from engines.cells._cells import Cells
from engines.training._check import Labelled

_CHUNK = 4096


def sha256_of(cells: Cells) -> str:
    """Return the SHA-256 of the frames' bytes, little-endian, all channels, read a part at a time."""
    digest = hashlib.sha256()
    for start in range(0, len(cells), _CHUNK):
        part = cells.frames[start : start + _CHUNK]
        digest.update(np.ascontiguousarray(part, dtype=part.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def sha256_of_task(labelled: Labelled) -> str:
    """Return the SHA-256 of what the cells are said to be: shape, channels, classes, labels and groups."""
    groups = None if labelled.groups is None else labelled.groups.tolist()
    said = [
        labelled.frames.shape,
        labelled.dtype,
        labelled.channels,
        labelled.classes,
        labelled.labels.tolist(),
        groups,
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
