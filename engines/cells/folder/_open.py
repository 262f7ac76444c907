"""Open a folder of images of cells."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

from engines.cells.folder._collect import collect
from engines.cells.folder._pattern import common_namer, given_namer
from engines.cells.folder._recording import FolderRecording, class_names
from engines.cells.folder._walk import Walk, check_levels, find_levels, holds_images, listing
from engines.errors import CellsError, InputError

_LOOK_AT = 2000
_MOST_CLASSES = 32_000
"""Labels are int16."""


def sniff_folder(path: Path, head: bytes) -> bool:
    """Tell whether there are images in this folder, or in a folder of it."""
    if head or not path.is_dir():
        return False
    try:
        root, levels = find_levels(path)
        folders = [Path(entry.path) for entry in listing(root) if entry.is_dir()] if levels else [root]
        # Three levels down at most: group/class is the deepest layout.
        deeper = (Path(inner.path) for folder in folders for inner in listing(folder) if inner.is_dir())
        return any(holds_images(folder) for folder in itertools.islice(itertools.chain(folders, deeper), _LOOK_AT))
    except CellsError:
        return False


def open_folder(
    path: str | Path,
    *,
    levels: str | None = None,
    pattern: str | None = None,
    channels: Iterable[str] | None = None,
    groups: str | None = None,
) -> FolderRecording:
    """Open images of cells, one file per cell or one per cell and channel.

    Parameters
    ----------
    path
        The folder. Links that lead out of it are not followed.
    levels
        What the folders above an image are, from the top: `class`, `group/class`, `class/group`, `group`, or empty
        for images right in the folder. By default `class`, or nothing where the images are right there.
    pattern
        A regular expression that fits the whole name of a file without its ending, with named groups: `cell`, and of
        `channel`, `group` and `class` what there is. By default the common names `<cell>_Ch1.tif` and
        `<cell>-brightfield.png` are recognised; a pattern of only `(?P<cell>.+)` makes every file a cell.
    channels
        With channels in the names: only these, in this order; a cell needs no others. Else names for the channels of
        each image.
    groups
        Whatever it says: the levels are `group/class`, unless `levels` or a `pattern` with a group says otherwise.

    Raises
    ------
    CellsError
        No images, or none that can be read as a cell.
    InputError
        Levels or a pattern that cannot be, a channel that is not there, or too many classes.
    MissingExtraError
        Pillow or tifffile is needed and not installed.
    """
    root = Path(path)
    if not root.is_dir():
        raise CellsError(root, "file", "no folder", "a folder of images")
    if groups is not None and levels is None and "(?P<group>" not in (pattern or ""):
        levels = "group/class"
    if levels is None:
        start, parts = find_levels(root)
    else:
        start, parts = root, check_levels(levels, root)
    walk = Walk(start, parts)
    if not walk.images:
        reasons = ", ".join(walk.skipped) or "none"
        expected = f"images in folders of {'/'.join(parts) or 'nothing'}; say what the folders are by levels"
        raise CellsError(root, "images", reasons, expected)
    names = [walk.images[i].path.name for i in range(0, len(walk.images), max(1, len(walk.images) // _LOOK_AT))]
    namer = common_namer(names) if pattern is None else given_namer(pattern, root)
    asked = None if channels is None else tuple(channels)
    found = collect(walk.images, namer, asked, root)
    found.skipped.update(walk.skipped)
    if not found.cells:
        raise CellsError(root, "cells", "; ".join(found.skipped) or "none", "at least one whole cell")
    classes = class_names(found.cells)
    if len(classes) > _MOST_CLASSES:
        raise InputError(root, "classes", len(classes), f"at most {_MOST_CLASSES}; say what the folders are by levels")
    about = {"folders": "/".join(parts) or "none", "files": "one per cell"}
    if found.channels:
        about["files"] = "one per cell and channel"
    if walk.others:
        about["files that are no images"] = str(walk.others)
    if found.left_out:
        about["channels left out"] = ", ".join(f"{name or '(none)'} ({n})" for name, n in found.left_out.items())
    named = asked if not found.channels else None
    return FolderRecording(root, found, classes, about, named)
