"""The layout `cellgate-frames` of HDF5 files and Zarr stores: what its writers and its reader must agree on.

See docs/results.md for the arrays, and docs/recording.md for files that are appended to.
"""

from __future__ import annotations

from engines.cells._recording import plain_text

FRAMES_FORMAT, FRAMES_VERSION = "cellgate-frames", 1
RECORDED = "recorded"
"""Attribute of a file that is appended to: so many cells are whole; arrays may be longer if the writer was killed."""
FIRST = ("labels_are", "series", "started", "bundle", "offered", RECORDED, "ended")
"""Attributes of a recorded series that a reader must see before all the others."""


def fact_name(name: str) -> str:
    """Return the name as one step of a path; one that begins with a dot is a place or a store's own file there."""
    step = plain_text(name).replace("/", "|").replace("\\", "|")
    return step if step and not step.startswith(".") else f"fact:{step}"
