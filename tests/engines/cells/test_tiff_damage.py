"""Damaged and hostile files: only `CellsError` comes out, nothing is allocated from a lie, stderr stays empty."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from engines.cells.tiff import (
    open_cellview,
    open_imagestream,
    open_montage,
    sniff_cellview,
    sniff_imagestream,
    sniff_montage,
)
from engines.errors import CellsError
from tests.support.fuzz_figures import MOST_S, Figures

MOST_MEMORY = 48 << 20
LIES = (0, 1, 2, 7, 8, 255, 256, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
OME = '<OME><Dataset Name="d"/><Image><Pixels PhysicalSizeX="1" PhysicalSizeY="1"/></Image></OME>'


def image(dtype=np.uint16):
    return np.random.default_rng(5).integers(0, 200, size=(24, 18)).astype(dtype)


def save(file, pixels, **options):
    tifffile.imwrite(file, pixels, photometric="minisblack", metadata=None, **options)


def write_seeds(folder):
    """Write files for each reader; return by reader `(how to open it, its bytes, the name it needs)` of each."""
    single = {
        "plain": {"description": OME},
        "strips": {"rowsperstrip": 5, "byteorder": ">"},
        "big": {"bigtiff": True},
        "deflate": {"compression": "zlib", "predictor": True},
        "lzw": {"compression": "lzw", "rowsperstrip": 7},
        "packbits": {"compression": "packbits"},
        "zstd": {"compression": "zstd"},
        "tiles": {"tile": (16, 16), "compression": "zlib"},
    }
    imagestream, montage, cellview = [], [], []
    for name, options in single.items():
        file = folder / f"{name}.tif"
        save(file, image(), **options)
        imagestream.append((open_imagestream, file.read_bytes(), "a_1_Ch1.ome.tif"))
        montage.append((tiles, file.read_bytes(), "m.tif"))
    for name, options in {"plain": {}, "big": {"bigtiff": True}, "foreign": {"byteorder": ">"}}.items():
        with tifffile.TiffWriter(folder / f"view-{name}.tif", **options) as tiff:
            for page in range(8):
                named = [(285, 2, 0, f"p{page}", True)]
                tiff.write(image(np.float32), metadata=None, extratags=named, contiguous=False)
        cellview.append((open_cellview, (folder / f"view-{name}.tif").read_bytes(), "a_1.tiff"))
    montage.append((lambda path: open_montage(path, pages="cells"), cellview[0][1], "s.tif"))
    for dtype in (np.uint8, np.uint16):
        Image.fromarray(image(dtype)).save(folder / "m.png")
        montage.append((tiles, (folder / "m.png").read_bytes(), "m.png"))
    return {"imagestream": imagestream, "cellview": cellview, "montage": montage}


def tiles(path):
    return open_montage(path, tile=6)


def structures(data):
    """Return where a TIFF's directories are: the places where a lie does most harm."""
    if data[:2] not in (b"II", b"MM"):
        return [(8, min(len(data), 64))]
    order = "<" if data[:2] == b"II" else ">"
    at = struct.unpack_from(order + ("Q" if 43 in data[2:4] else "I"), data, 8 if 43 in data[2:4] else 4)[0]
    return [(0, 16), (at, min(at + 320, len(data)))]


def mutate(data, random):
    """Return a damaged copy: bytes changed, numbers replaced by lies, cut off, or parts moved about."""
    out = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        low, high = [(0, len(out)), *structures(data)][int(random.integers(0, 3)) % (1 + len(structures(data)))]
        high = min(high, len(out))
        if high - low < 12:
            continue
        at = int(random.integers(low, high - 8))
        kind = int(random.integers(0, 6))
        if kind < 2:
            out[at] = int(random.integers(0, 256))
        elif kind == 2:
            out[at : at + 4] = struct.pack("<I", LIES[int(random.integers(0, len(LIES)))])
        elif kind == 3:
            out[at : at + 2] = struct.pack("<H", LIES[int(random.integers(0, 9))])
        elif kind == 4:
            to = int(random.integers(low, high - 8))
            out[to : to + 12] = out[at : at + 12]
        else:
            del out[at if random.integers(0, 4) else len(out) - 1 :]
    return bytes(out)


def attack(tmp_path, reader, cases, seed):
    random = np.random.default_rng(seed)
    seeds = write_seeds(tmp_path)[reader]
    figures, most = Figures(), 0
    folder = tmp_path / "case"
    folder.mkdir()
    tracemalloc.start()
    try:
        for case in range(cases):
            how, data, name = seeds[case % len(seeds)]
            damaged = mutate(data, random)
            (folder / name).write_bytes(damaged)
            tracemalloc.reset_peak()
            with figures.case() as outcomes:
                outcomes[survives(how, folder / name, damaged[:64])] += 1
            peak = tracemalloc.get_traced_memory()[1]
            assert peak < MOST_MEMORY, f"case {case} took {peak} bytes"
            most = max(most, peak)
            (folder / name).unlink()
    finally:
        tracemalloc.stop()
    assert min(figures.outcomes["read"], figures.outcomes["refused"]) > cases // 10
    assert figures.worst_s < MOST_S
    return figures.found(peak_mib=round(most / 2**20, 1))


def survives(how, file, head):
    for sniff in (sniff_imagestream, sniff_cellview, sniff_montage):
        assert sniff(file, head) in (True, False)
    try:
        with how(file) as recording:
            whole = list(recording)
            assert all(cell.frame.ndim == 3 and cell.frame.dtype == recording.dtype for cell in whole)
            assert len(whole) + sum(recording.skipped.values()) >= len(recording)
    except CellsError as error:
        assert "\n" not in str(error)
        return "refused"
    return "read"


READERS = ("imagestream", "cellview", "montage")


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_refused_or_read(tmp_path, capfd, reader):
    attack(tmp_path, reader, 300, 11)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("reader", READERS)
def test_many_damaged_files_are_refused_or_read(tmp_path, capfd, reader):
    figures = attack(tmp_path, reader, 20_000, 12)
    assert capfd.readouterr() == ("", "")
    print(reader, figures)


def test_undamaged_seeds_are_read(tmp_path):
    seeds = [seed for some in write_seeds(tmp_path).values() for seed in some]
    for number, (how, data, name) in enumerate(seeds):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(data)
        recording = how(folder / name)
        assert len(list(recording)) == len(recording) > 0


@pytest.mark.parametrize("keep", [0, 1, 3, 4, 7, 8, 9, 20, 100, -1])
def test_files_cut_off(tmp_path, keep):
    file = tmp_path / "a_1_Ch1.ome.tif"
    save(file, image())
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(CellsError):
        open_imagestream(file)[0]


def plain(width=4, height=4, *, compression=1, extra=(), after=0, data=b"\1" * 64, bits=16):
    """Return a TIFF built by hand, so that it can lie: pixels at 8, then its directory."""
    at = 8 + len(data)
    tags = {256: width, 257: height, 258: bits, 259: compression, 262: 1, 273: 8, 277: 1, 278: height, 279: len(data)}
    tags |= dict(extra)
    entries = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<I", at) + data + struct.pack("<H", len(tags)) + entries + struct.pack("<I", after)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (plain(), None),
        (plain(after=8 + 64), "circle"),
        (plain(after=1 << 31), "beyond the end"),
        (plain(60_000, 60_000), "60000 x 60000"),
        (plain(1024, 1024), "64 bytes for 2097152"),
        (plain(1024, 1024, compression=8), "64 bytes for 2097152"),
        (plain(compression=7), r"compression: found JPEG \(7\)"),
        (plain(compression=30817), r"Amnis greyscale \(30817\)"),
        (plain(compression=4242), r"unknown \(4242\)"),
        (plain(bits=12), "12-bit"),
        (plain(extra={277: 3}), "3 samples"),
        (plain(extra={262: 3}), "interpretation 3"),
        (plain(extra={34412: 8}), "tag 34412"),
        (plain(extra={273: 4_000_000_000}), "beyond the end"),
        (plain(extra={278: 1}), "4 of each"),
        (b"RIFF" + plain()[4:], "another format"),
    ],
)
def test_lies_are_named(tmp_path, data, words):
    file = tmp_path / "a_1_Ch1.ome.tif"
    file.write_bytes(data)
    if words is None:
        assert open_imagestream(file)[0].frame.tolist() == [[[257] * 4] * 4]
        return
    with pytest.raises(CellsError, match=words):
        open_imagestream(file)


def test_a_compressed_strip_cannot_unpack_to_more_than_its_image(tmp_path):
    file = tmp_path / "a_1_Ch1.ome.tif"
    bomb = zlib.compress(b"\0" * (64 << 20), 1)
    file.write_bytes(plain(64, 64, compression=8, data=bomb))
    tracemalloc.start()
    try:
        list(open_imagestream(file))
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


def test_a_png_that_announces_too_much(tmp_path):
    file = tmp_path / "m.png"
    Image.fromarray(image(np.uint8)).save(file)
    data = bytearray(file.read_bytes())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    file.write_bytes(data)
    with pytest.raises(CellsError, match="100000 x 100000"):
        open_montage(file, tile=10)


def test_strips_that_are_the_same_bytes_over_and_over(tmp_path):
    file = tmp_path / "a_1_Ch1.ome.tif"
    save(file, image(), compression="zlib", rowsperstrip=1)
    with tifffile.TiffFile(file) as tiff:
        tags, end = tiff.pages[0].tags, tiff.filehandle.size
    data = bytearray(file.read_bytes())
    for code, value in ((273, 8), (279, end - 8)):
        wide = tags[code].dtype == 4
        each = struct.pack("<I" if wide else "<H", value)
        data[tags[code].valueoffset : tags[code].valueoffset + 24 * len(each)] = each * 24
    file.write_bytes(data)
    with pytest.raises(CellsError, match="overlap"):
        open_imagestream(file)


def test_a_directory_with_more_values_than_any_image_has(tmp_path):
    file = tmp_path / "a_1_Ch1.ome.tif"
    data = bytearray(plain())
    at = data.index(struct.pack("<HHI", 273, 4, 1))
    data[at + 4 : at + 8] = struct.pack("<I", 500_000_000)
    file.write_bytes(data)
    with pytest.raises(CellsError, match="tag 273: found 500000000 values"):
        open_imagestream(file)


def test_a_long_chain_of_pages_ends(tmp_path):
    file = tmp_path / "v_1.tiff"
    save(file, np.zeros((200, 4, 4), np.float32))
    with pytest.raises(CellsError, match="more than 32"):
        open_cellview(file)
