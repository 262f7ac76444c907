"""Damage files of cells in every way and read them: a script, so that its memory is its own.

`python -m tests.support.fuzz_cells READER SEED COUNT`, with `npz` or `folder` as the reader, prints how many were read
and refused, and the most time and memory it took.
"""

import contextlib
import io
import json
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from engines.cells import gather, open_recording, summarise
from engines.errors import CellsError, InputError
from tests.support.fuzz_figures import Figures, peak_mib

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def seeds() -> list[tuple[str, bytes]]:
    """Return whole files as `(name, bytes)`; images become one of several in a folder."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 4096, (9, 2, 6, 5)).astype(np.uint16)
    arrays = {
        "frames": frames,
        "channels": np.array(["a", "b"]),
        "labels": np.arange(9) % 3 - 1,
        "classes": np.array(["x", "y"]),
        "groups": np.array(list("ppqqrrsst")),
        "trigger_s": np.arange(9) / 10,
        "pixel_um": np.array(0.5),
    }
    found = []
    for save in (np.savez, np.savez_compressed):
        for change in ({}, {"frames": frames.astype(np.float32)}, {"frames": np.asfortranarray(frames)}):
            stream = io.BytesIO()
            save(stream, **{**arrays, **change})
            found.append(("cells.npz", stream.getvalue()))
    for dtype in (np.uint8, np.uint16):
        image = rng.integers(0, 200, (24, 20)).astype(dtype)
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        found.append(("1.png", stream.getvalue()))
    for kind in ("JPEG", "BMP"):
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (24, 20, 3)).astype(np.uint8)).save(stream, kind)
        found.append((f"1.{kind.lower()[:4]}", stream.getvalue()))
    stacks = (frames[0], rng.random((3, 24, 20)).astype(np.float32))
    for stack in stacks:
        for how in ({}, {"compression": "zlib"}, {"compression": "lzw"}, {"tile": (16, 16)}, {"bigtiff": True}):
            stream = io.BytesIO()
            tifffile.imwrite(stream, stack, photometric="minisblack", **how)
            found.append(("1.tif", stream.getvalue()))
    return found


def damage(raw: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with one to four things wrong; what comes first and last is hit more often."""
    data = bytearray(raw)
    for _ in range(rng.integers(1, 5)):
        if len(data) < 16:
            break
        where = rng.random() ** 2 if rng.random() < 0.6 else 1 - rng.random() ** 2
        at = min(int(where * len(data)), len(data) - 1)
        match rng.integers(5):
            case 0:
                data[at] ^= int(rng.integers(1, 256))
            case 1:
                width = int(rng.choice([2, 4, 8]))
                value = EXTREMES[rng.integers(len(EXTREMES))] % 256**width
                data[at : at + width] = value.to_bytes(width, rng.choice(["little", "big"]))
            case 2:
                del data[at : at + int(rng.integers(1, 40))]
            case 3:
                data[at:at] = data[: int(rng.integers(1, 60))]
            case 4:
                del data[max(16, at) :]
    return bytes(data)


def damage_inside(raw: bytes, rng: np.random.Generator) -> bytes:
    """Return an archive one of whose arrays is damaged, its checksum right: the archive's own would keep most out."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(stream, "w") as new:
        hit = rng.integers(len(old.infolist()))
        for number, info in enumerate(old.infolist()):
            data = old.read(info)
            how = damage if rng.random() < 0.2 else damage_gently
            new.writestr(info.filename, how(data, rng) if number == hit else data, info.compress_type)
    return stream.getvalue()


def damage_gently(raw: bytes, rng: np.random.Generator) -> bytes:
    """Return an array's file with a character of its header or some of its values changed."""
    data = bytearray(raw)
    for _ in range(rng.integers(1, 3)):
        if rng.random() < 0.5:
            data[rng.integers(10, 80)] = rng.choice(list(b"0123456789-,()'<>fiuUTrue "))
        else:
            at, width = int(rng.integers(128, len(data))), int(rng.choice([1, 2, 4, 8]))
            value = EXTREMES[rng.integers(len(EXTREMES))] % 256**width
            data[at : at + width] = value.to_bytes(width, "little")[: len(data) - at]
    return bytes(data)


def read(path: Path, kind: str | None) -> str:
    """Read everything there is, in every way; return what came of it."""
    try:
        with open_recording(path, kind=kind) as recording:
            summarise(recording)
            cells = gather(recording, memory=1 << 24)
            assert len(cells.frames) <= len(recording)
            with contextlib.suppress(CellsError):
                recording[len(recording) - 1]
    except (CellsError, InputError) as error:
        assert len(str(error).splitlines()) == 1
        return "refused"
    return "read"


def main(reader: str, seed: int, count: int) -> None:
    """Damage and read `count` files."""
    warnings.simplefilter("ignore")  # zipfile warns of names that occur twice
    rng = np.random.default_rng(seed)
    files = [(name, raw) for name, raw in seeds() if (name == "cells.npz") == (reader == "npz")]
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        images.mkdir()
        for case in range(count):
            name, raw = files[case % len(files)]
            inside = reader == "npz" and rng.random() < 0.7
            broken = (damage_inside if inside else damage)(raw, rng)
            if name == "cells.npz":
                path = Path(folder) / name
                path.write_bytes(broken)
            else:
                path = images
                for old in images.iterdir():
                    old.unlink()
                if case % 3:  # beside a whole image, which is read whatever became of the other
                    (images / f"0{Path(name).suffix}").write_bytes(raw)
                (images / name).write_bytes(broken)
            try:
                with figures.case() as outcomes:
                    outcomes[read(path, "folder" if path == images and case % 2 else None)] += 1
            except BaseException:
                print(f"seed {seed}, case {case}, {name}: {broken.hex()}", file=sys.stderr)
                raise
    print(json.dumps(figures.found(peak_mib=peak_mib())))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
