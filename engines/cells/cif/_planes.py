"""Which IFDs are images that can be read, which masks are theirs, and what is wrong with the others."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from engines.cells.cif import _tags as tags
from engines.cells.cif._chain import Chain, Rows
from engines.cells.cif._header import Header

Indices = NDArray[np.int64]
_NAMED = 16  # so many unknown types and compressions are named; a damaged file may hold a million


def choose(chain: Chain, header: Header, size: int) -> tuple[Rows, Rows, Indices, Counter[str]]:
    """Return the readable images, all masks, each image's mask (-1 where it has none) and what was left out, counted.

    `size` is the file's. A plane whose data cannot lie in the file, or are too few for its width and height, is left
    out here, before anything is allocated for it.
    """
    rows = chain.rows[1:]  # IFD 0 is the file's own
    plane = _plane_types(rows)
    images, masks = rows[plane == tags.IMAGE_PLANE], rows[plane == tags.MASK_PLANE]
    skipped: Counter[str] = Counter()
    others, counts = np.unique(plane[(plane > tags.MASK_PLANE) | (plane == 0)], return_counts=True)
    for other, n in zip(others[:_NAMED].tolist(), counts[:_NAMED].tolist(), strict=True):
        skipped[f"plane of type {other}"] = n
    if len(others) > _NAMED:
        skipped["plane of unknown type"] = int(counts[_NAMED:].sum())
    mine = _pair(images["object"], masks["object"])
    unseen = len(masks) - len(np.unique(mine[mine >= 0]))
    missing = max(unseen, (header.objects or 0) - len(images)) - int(counts.sum())
    missing = max(missing, bool(chain.broken))
    if missing > 0:
        skipped[chain.broken or "no image"] += missing
    good = np.ones(len(images), np.bool_)
    for reason, bad in _faults(images, len(header.channels), size):
        skipped.update({reason: n} if (n := int(np.count_nonzero(bad & good))) else {})
        good &= ~bad
    crossing = good.copy()
    crossing[good] = _overlapping(images[good])
    if crossing.any():
        skipped["strip overlaps another image's"] += int(np.count_nonzero(crossing))
    kept = good & ~crossing
    return images[kept], masks, mine[kept], skipped


def _plane_types(rows: Rows) -> NDArray[np.uint32]:
    """Return the type of each plane; where the file says none, a mask has 8 bits."""
    said = rows["type"]
    is_mask = (rows["bits"] == 8) | (rows["compression"] == tags.MASK)
    meant = np.where(is_mask, tags.MASK_PLANE, tags.IMAGE_PLANE).astype(np.uint32)
    return np.where((said == 0) & (rows["width"] > 0), meant, said)


def _pair(images: Indices, masks: Indices) -> Indices:
    """Return each image's mask: the one of its object; the k-th of several images of an object has the k-th mask."""
    order = np.argsort(masks, kind="stable")
    found = np.searchsorted(masks[order], images) + _ranks(images)
    inside = np.minimum(found, len(masks) - 1)
    if not len(masks):
        return np.full(len(images), -1)
    mine = order[inside]
    return np.where((found < len(masks)) & (masks[mine] == images), mine, -1)


def _ranks(objects: Indices) -> Indices:
    """Return how many equal numbers come before each."""
    order = np.argsort(objects, kind="stable")
    ordered = objects[order]
    ranks = np.empty(len(objects), np.int64)
    ranks[order] = np.arange(len(objects)) - np.searchsorted(ordered, ordered)
    return ranks


def first_fault(row: Rows, channels: int, size: int) -> str:
    """Return what is wrong with the one plane in `row`, in words; empty where nothing is."""
    return next((reason for reason, bad in _faults(row, channels, size) if bad[0]), "")


def _faults(rows: Rows, channels: int, size: int) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return what may be wrong with images, in words, and with which it is."""
    pixels = rows["width"].astype(np.float64) * rows["height"]  # as float: a product of two wrong sizes may not wrap
    grey, mask, raw = (rows["compression"] == code for code in (tags.GREY, tags.MASK, tags.RAW))
    bits, one = rows["bits"], rows["strips"] == 1
    faults = [("no width or height", pixels == 0)]
    unknown = ~(grey | mask | raw)
    codes = np.unique(rows["compression"][unknown])[:_NAMED]
    faults += [(f"unknown compression {code}", rows["compression"] == code) for code in codes]
    faults.append(("unknown compression", unknown))
    depth = (grey & (bits == 16)) | (mask & (bits == 8)) | (raw & ((bits == 8) | (bits == 16)))
    faults.append(("bits per sample and compression do not fit", ~depth))
    faults.append((f"width is no multiple of the {channels} channels", rows["width"] % channels != 0))
    faults.append(("lists of strips do not fit", (rows["strips"] == 0) | (rows["strips"] > rows["height"])))
    outside = (rows["start"] < 8) | (rows["start"] > size - rows["bytes"])
    faults.append(("data outside the file", one & outside))
    faults.append(("a plane's data end before the plane does", one & (rows["bytes"] < fewest_bytes(rows))))
    return faults


def fewest_bytes(rows: Rows) -> NDArray[np.float64]:
    """Return the fewest bytes that planes of such width, height and compression can take up."""
    pixels = rows["width"].astype(np.float64) * rows["height"]
    per_pixel = np.where(rows["compression"] == tags.GREY, 0.5, rows["bits"] / 8)
    fewest: NDArray[np.float64] = np.where(rows["compression"] == tags.MASK, pixels / 128, pixels * per_pixel)
    return fewest


def _overlapping(rows: Rows) -> NDArray[np.bool_]:
    """Return which planes of one strip begin before another that ends earlier has ended.

    One wrong number in a file makes one plane too long, and of two that overlap the shorter is kept. It also bounds
    the work: together the planes are never more than the file.
    """
    crossing = np.zeros(len(rows), np.bool_)
    single = np.flatnonzero(rows["strips"] == 1)
    starts = rows["start"][single]
    ends = starts + rows["bytes"][single]
    order = np.argsort(ends, kind="stable")
    if (starts[order][1:] >= ends[order][:-1]).all():
        return crossing
    last = 0
    for i, start, end in zip(single[order].tolist(), starts[order].tolist(), ends[order].tolist(), strict=True):
        if start < last:
            crossing[i] = True
        else:
            last = end
    return crossing
