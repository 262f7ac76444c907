"""How fast CIF files are read: decoded bytes per second and core, and how long opening takes.

python -m bench.cif_decode --json bench/results/cif-decode.json
"""

from __future__ import annotations

import argparse
import json
import struct
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.machine import machine, versions
from engines.cells.cif import CifRecording, open_cif

PIXELS = 6_000_000
ROUNDS = 5
SIZES = (40, 120)
OPENED = 100_000


def main() -> None:
    """Measure and print; write JSON where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--json", type=Path, help="write the figures here")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [_measure(Path(folder) / "cells.cif", channels) for channels in (1, 4, 12)]
        opening = _opening(Path(folder) / "many.cif")
    for row in (*rows, opening):
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    if chosen.json is not None:
        result: dict[str, object] = {"command": "python -m bench.cif_decode", "decode": rows, "open": opening}
        result |= {"machine": machine(), "versions": versions("cellgate", "numpy")}
        chosen.json.write_text(json.dumps(result, indent=2) + "\n")


def _measure(path: Path, channels: int) -> dict[str, float]:
    """Write smooth cells with noise, 40 to 120 pixels high and wide, and read them in order; best of the rounds."""
    rng = np.random.default_rng(channels)
    planes: list[NDArray[np.uint16]] = []
    while sum(plane.size for plane in planes) < PIXELS:
        planes.append(_plane(rng, channels))
    packed = [_encode(plane) for plane in planes]
    _write(path, channels, [plane.shape for plane in planes], packed)
    decoded = sum(plane.nbytes for plane in planes)
    processor, wall = [], []
    with open_cif(path) as recording:
        for _ in range(ROUNDS):
            before, before_wall = time.process_time(), time.perf_counter()
            _read_all(recording)
            processor.append(time.process_time() - before)
            wall.append(time.perf_counter() - before_wall)
    return {
        "channels": channels,
        "cells": len(planes),
        "nibbles_per_pixel": round(2 * sum(map(len, packed)) / sum(plane.size for plane in planes), 2),
        "decoded_mb_per_s_of_processor_time": round(decoded / min(processor) / 1e6, 1),
        "decoded_mb_per_s": round(decoded / min(wall) / 1e6, 1),
        "cells_per_s": round(len(planes) / min(wall)),
    }


def _read_all(recording: CifRecording) -> None:
    for _ in recording:
        pass


def _opening(path: Path) -> dict[str, float]:
    plane = np.full((2, 2), 7, np.uint16)
    _write(path, 1, [plane.shape] * OPENED, [_encode(plane)] * OPENED)
    before, before_wall = time.process_time(), time.perf_counter()
    open_cif(path).close()
    return {
        "objects": OPENED,
        "open_processor_s": round(time.process_time() - before, 2),
        "open_s": round(time.perf_counter() - before_wall, 2),
    }


def _plane(rng: np.random.Generator, channels: int) -> NDArray[np.uint16]:
    """Draw a cell, its channels side by side: a disc with soft edges on 200 counts of background, noise σ = 8."""
    height, width = rng.integers(*SIZES, 2)
    y, x = np.mgrid[:height, :width]
    distance = ((y - height / 2) ** 2 + (x - width / 2) ** 2) / (min(height, width) / 4) ** 2
    light = np.concatenate([200 + rng.uniform(300, 1500) * np.exp(-distance) for _ in range(channels)], axis=1)
    return (light + rng.normal(0, 8, light.shape)).clip(0, 65535).astype(np.uint16)


def _encode(plane: NDArray[np.uint16]) -> bytes:
    padded = np.pad(plane.astype(np.int64), ((1, 0), (1, 0)))
    residuals = np.diff(np.diff(padded, axis=0), axis=1).ravel()
    sizes = np.ones(residuals.shape, np.int64)
    for k in range(6):
        sizes += (residuals < -(4 << 3 * k)) | (residuals >= 4 << 3 * k)
    starts = sizes.cumsum() - sizes
    nibbles = np.zeros(-(-int(sizes.sum()) // 2) * 2, np.uint8)
    for k in range(int(sizes.max())):
        here = sizes > k
        nibbles[starts[here] + k] = (residuals[here] >> 3 * k & 7) | np.where(sizes[here] > k + 1, 8, 0)
    return bytes(nibbles[0::2] | nibbles[1::2] << 4)


def _write(path: Path, channels: int, shapes: list[tuple[int, ...]], packed: list[bytes]) -> None:
    """Write a chain of IFDs with images only, each plane before its IFD."""
    with path.open("wb") as file:
        file.write(b"II*\0" + struct.pack("<I", 8))
        entries = [(33000, 4, 1, channels), (33018, 4, 1, len(packed))]
        for number, ((height, width), data) in enumerate(zip(shapes, packed, strict=True)):
            following = file.tell() + 6 + 12 * len(entries) + len(data)
            file.write(_ifd(entries, following))
            start = file.tell()
            file.write(data)
            entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 30817)]
            entries += [(273, 4, 1, start), (279, 4, 1, len(data)), (33002, 4, 1, 2), (33003, 4, 1, number)]
        file.write(_ifd(entries, 0))


def _ifd(entries: list[tuple[int, int, int, int]], following: int) -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


if __name__ == "__main__":
    main()
