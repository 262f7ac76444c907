"""A contact sheet: cells and their channels side by side in one picture."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.cells._recording import Cell, Recording
from engines.cells._size import spread
from engines.errors import CellsError, MissingExtraError
from engines.fit import fit_frames

_LOOK_AT = 2000
_LARGEST = 160
_SMALLEST = 64
_MARGIN = 6
_LINE = 14
_PERCENTILES = (0.5, 99.8)
_MAX_CHANNELS = 16


def contact_sheet(recording: Recording, *, cells: int = 24) -> bytes:
    """Return a PNG of `cells` cells, each a row of its channels under its class.

    The cells are taken from every class in turn, spread over the recording. Each channel has one scale of gray for
    all cells, from the 0.5th to the 99.8th percentile of the counts shown. Cells keep their shape; where one is
    wider or higher than 160 pixels all are made smaller, and where all are small each pixel becomes a square of them.

    Raises
    ------
    CellsError
        No cell can be read.
    MissingExtraError
        Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise MissingExtraError("contact sheets", "files") from error
    chosen = _choose(recording, cells)
    channels = recording.channels[:_MAX_CHANNELS]
    tiles = _gray([cell.frame for cell in chosen])
    side_y, side_x = (max(tile.shape[axis] for tile in tiles) for axis in (1, 2))
    zoom = max(1, _SMALLEST // max(side_y, side_x))
    cell_y = side_y * zoom + _LINE + _MARGIN
    cell_x = max(len(channels) * (side_x * zoom + 2), 60) + _MARGIN
    columns = max(1, round((len(tiles) * cell_y / cell_x) ** 0.5))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("L", (columns * cell_x + _MARGIN, rows * cell_y + _MARGIN + _LINE), 255)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 2), _printable(f"{recording.kind}: {', '.join(channels)}", columns * cell_x), fill=0)
    for number, (cell, tile) in enumerate(zip(chosen, tiles, strict=True)):
        row, column = divmod(number, columns)
        x, y = _MARGIN + column * cell_x, _MARGIN + _LINE + row * cell_y
        draw.text((x, y), _printable(_title(recording, cell), cell_x), fill=0)
        for plane, pixels in enumerate(tile):
            image = Image.fromarray(pixels.repeat(zoom, 0).repeat(zoom, 1))
            sheet.paste(image, (x + plane * (side_x * zoom + 2), y + _LINE))
    raw = io.BytesIO()
    sheet.save(raw, "PNG", optimize=True)
    return raw.getvalue()


def _choose(recording: Recording, cells: int) -> list[Cell]:
    """Return cells of every class in turn, ordered by class and without more channels than are drawn.

    At most 2000 cells are looked at, one at a time; all that are drawn are made smaller by one whole number.
    """
    by_class: dict[int, list[int]] = defaultdict(list)
    largest: dict[int, int] = {}
    for index in spread(len(recording), _LOOK_AT):
        try:
            cell = recording[index]
        except CellsError:
            continue
        by_class[cell.label].append(index)
        largest[index] = max(cell.frame.shape[1:])
    if not by_class:
        raise CellsError(recording.name, "cells", "none that can be read", "at least one")
    share = max(1, cells // len(by_class))
    picked = {label: [at[i] for i in spread(len(at), share)] for label, at in sorted(by_class.items())}
    chosen = [index for at in picked.values() for index in at]
    spare = [index for label, at in sorted(by_class.items()) for index in at if index not in set(picked[label])]
    chosen = (chosen + spare)[:cells]
    smaller = -(-max(largest[index] for index in chosen) // _LARGEST)
    read = (recording[index] for index in chosen)
    return sorted((_drawn(cell, smaller) for cell in read), key=lambda cell: cell.label)


def _drawn(cell: Cell, smaller: int) -> Cell:
    height, width = (max(1, side // smaller) for side in cell.frame.shape[1:])
    frame = fit_frames(cell.frame[None, :_MAX_CHANNELS], height, width, "resize")[0]
    return replace(cell, frame=frame)


def _gray(frames: list[NDArray[np.generic]]) -> list[NDArray[np.uint8]]:
    """Return the frames in 256 grays, each channel on one scale."""
    limits = []
    for channel in range(len(frames[0])):
        counts = np.concatenate([frame[channel].reshape(-1) for frame in frames]).astype(np.float32)
        counts = counts[np.isfinite(counts)]
        limits.append(np.percentile(counts, _PERCENTILES) if counts.size else (0.0, 1.0))
    low, high = np.array(limits, np.float32).T[:, :, None, None]
    wide = np.maximum(high - low, 1e-6)
    return [
        (np.nan_to_num(np.clip((frame.astype(np.float32) - low) / wide, 0, 1)) * 255).astype(np.uint8)
        for frame in frames
    ]


def _title(recording: Recording, cell: Cell) -> str:
    name = recording.classes[cell.label] if 0 <= cell.label < len(recording.classes) else "-"
    return f"{name} {cell.group}".strip()


def _printable(text: str, pixels: int) -> str:
    """Return as much of a text as fits, in the letters that the built-in font has."""
    kept = "".join(c if c.isprintable() and ord(c) < 0x250 else "?" for c in text)
    return kept[: max(1, pixels // 6)]
