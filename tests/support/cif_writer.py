"""Writes files as the ImageStream's software does, for tests of their reader: TIFF-like, with its two compressions."""

import itertools
import struct
from dataclasses import dataclass, field

import numpy as np

RAW, GREY, MASK = 1, 30817, 30818
TYPES = {"text": (2, 1), "short": (3, 2), "long": (4, 4), "float": (11, 4), "double": (12, 8)}
CODES = {"short": "H", "long": "I", "float": "f", "double": "d"}
XML = """<AssayDB-Rif><Fluidics><CoreMode>0</CoreMode></Fluidics><Imaging><Magnification>40</Magnification>
<ChannelInUseIndicators_0_11>{in_use}</ChannelInUseIndicators_0_11></Imaging></AssayDB-Rif>"""


def encode_grey(plane):
    """The plane's bytes in compression 30817, each residual in as few nibbles as it fits."""
    padded = np.pad(plane.astype(np.int64), ((1, 0), (1, 0)))
    residuals = (padded[1:, 1:] - padded[1:, :-1] - padded[:-1, 1:] + padded[:-1, :-1]).ravel()
    sizes = np.ones(residuals.shape, np.int64)
    for k in range(6):
        sizes += (residuals < -(4 << 3 * k)) | (residuals >= 4 << 3 * k)
    ends = np.cumsum(sizes)
    nibbles = np.zeros(ends[-1] + ends[-1] % 2, np.uint8)
    for k in range(int(sizes.max())):
        long = sizes > k
        nibbles[(ends - sizes)[long] + k] = ((residuals[long] >> 3 * k) & 7) | (8 * (sizes[long] > k + 1))
    return (nibbles[0::2] | nibbles[1::2] << 4).tobytes()


def encode_mask(plane):
    """The plane's bytes in compression 30818."""
    flat = plane.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=int(flat[0]) + 1))
    pairs = bytearray()
    for value, run in zip(flat[starts].tolist(), np.diff(starts, append=flat.size).tolist(), strict=True):
        pairs += bytes([value, 255]) * (run // 256)
        if run % 256:
            pairs += bytes([value, run % 256 - 1])
    return bytes(pairs)


@dataclass
class Ifd:
    """Tags as {number: (type, values)}, the plane's strips, and how many bytes to leave free before them."""

    tags: dict = field(default_factory=dict)
    strips: list = field(default_factory=list)
    gap: int = 0


def write_ifds(path, ifds, order="<"):
    """Write the header and the chain; positions wrap at 4 GiB. Returns where each IFD is."""
    where = []
    with path.open("wb") as file:
        file.write({"<": b"II*\0", ">": b"MM\0*"}[order] + bytes(4))
        link = 4
        for ifd in ifds:
            file.seek(ifd.gap, 1)
            tags = dict(ifd.tags)
            if ifd.strips:
                starts = []
                for strip in ifd.strips:
                    starts.append(file.tell())
                    file.write(strip)
                tags = {273: ("long", starts), 279: ("long", [len(strip) for strip in ifd.strips])} | tags
            entries = b""
            for tag, (kind, values) in sorted(tags.items()):
                code, size = TYPES[kind]
                if kind == "text":
                    data = values if isinstance(values, bytes) else values.encode() + b"\0"
                else:
                    data = b"".join(struct.pack(order + CODES[kind], _wrap(value)) for value in values)
                if len(data) > 4:
                    file.write(bytes(file.tell() % 2))
                    at = file.tell()
                    file.write(data)
                    value = struct.pack(f"{order}I", _wrap(at))
                else:
                    value = data.ljust(4, b"\0")
                entries += struct.pack(f"{order}HHI", tag, code, len(data) // size) + value
            file.write(bytes(file.tell() % 2))
            where.append(file.tell())
            file.write(struct.pack(f"{order}H", len(tags)) + entries + bytes(4))
            file.seek(link)
            file.write(struct.pack(f"{order}I", _wrap(where[-1])))
            file.seek(0, 2)
            link = file.tell() - 4
    return where


def file_ifd(channels, objects, *, in_use=None, names=None, descriptions=None, **changes):
    """IFD 0, for a file of so many channels and objects."""
    in_use = in_use or [1] * channels
    names = names or [f"Ch{i + 1:02}" for i in range(len(in_use))]
    descriptions = descriptions or [f"stain {i + 1}" for i in range(len(in_use))]
    tags = {
        33000: ("long", [channels]),
        33002: ("long", [1]),
        33004: ("text", "3/14/2024 1:59:26 PM"),
        33006: ("text", "ISX 430"),
        33007: ("text", "|".join(names)),
        33008: ("text", "|".join(descriptions)),
        33009: ("long", [64]),
        33018: ("long", [objects]),
        33027: ("text", XML.format(in_use=" ".join(map(str, in_use)))),
    }
    return Ifd(tags | {int(tag[1:]): value for tag, value in changes.items()})


def plane_ifd(frame, number, *, kind=2, compression=GREY, strips=1, order="<", centre=None):
    """The IFD of one object's image (kind 2) or mask (kind 3), from its `(C, h, w)` frame."""
    plane = np.concatenate(list(frame), axis=1)
    if compression == RAW:
        data = plane.astype(plane.dtype.newbyteorder(order)).tobytes()
    else:
        data = {GREY: encode_grey, MASK: encode_mask}[compression](plane)
    cuts = np.linspace(0, len(data) // 2, strips + 1).astype(int) * 2
    cuts[-1] = len(data)
    tags = {
        256: ("long", [plane.shape[1]]),
        257: ("long", [plane.shape[0]]),
        258: ("short", [8 if kind == 3 else 16]),
        259: ("short", [compression]),
        33002: ("long", [kind]),
        33003: ("long", [number]),
    }
    if centre is not None:
        kind_of = "float" if isinstance(centre[0], float) else "long"
        tags |= {33071: (kind_of, [centre[0]]), 33072: (kind_of, [centre[1]])}
    return Ifd(tags, [data[a:b] for a, b in itertools.pairwise(cuts)])


def write_cif(path, frames, masks=None, *, order="<", compression=GREY, strips=1, centres=None, **header):
    """Write `(C, h, w)` frames and, where given, masks, as image, mask, image, mask …; returns where each IFD is."""
    ifds = [file_ifd(len(frames[0]), len(frames), **header)]
    for i, frame in enumerate(frames):
        centre = None if centres is None else centres[i]
        ifds.append(plane_ifd(frame, i, compression=compression, strips=strips, order=order, centre=centre))
        if masks is not None:
            coded = RAW if compression == RAW else MASK
            ifds.append(plane_ifd(masks[i], i, kind=3, compression=coded, strips=strips, order=order))
    return write_ifds(path, ifds, order)


def make_frames(seed, n, channels, size=(8, 30)):
    """Noisy 16-bit cells on a background, and their masks; sizes differ from cell to cell."""
    rng = np.random.default_rng(seed)
    frames, masks = [], []
    for _ in range(n):
        height, width = rng.integers(*size, 2)
        y, x = np.mgrid[:height, :width]
        distance = np.hypot((y - height / 2) / height, (x - width / 2) / width) * 4
        light = rng.uniform(100, 3000, (channels, 1, 1)) * np.exp(-(distance**2)) + 200
        frames.append(rng.poisson(light).astype(np.uint16))
        masks.append(np.repeat((distance < 1)[None], channels, 0).astype(np.uint8))
    return frames, masks


def _wrap(value):
    return value if isinstance(value, float) else value % (1 << 32)
