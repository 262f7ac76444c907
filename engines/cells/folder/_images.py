"""Read one image file: PNG, JPEG and BMP by Pillow, TIFF by tifffile."""

from __future__ import annotations

import io
import logging
import os
import warnings
from pathlib import Path

import numpy as np

from engines.cells._recording import Frame
from engines.errors import CellsError, MissingExtraError

MAX_SIDE = 4096
MAX_PLANES = 64
MAX_FILE = 256 << 20
_DTYPES = ("uint8", "uint16", "float32")
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_PNG = b"\x89PNG\r\n\x1a\n"
_RGB = 2
_FORMATS = ("PNG", "JPEG", "BMP")
_GRAY = {"1": "L", "LA": "L", "La": "L"}
_COLOUR = {"P": "RGB", "PA": "RGB", "RGBA": "RGB", "RGBX": "RGB", "RGBa": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}
# tifffile tells a logger what it does not like in a file; nobody listens, so Python would print it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_image(path: Path) -> Frame:
    """Return the counts of an image, `(planes, height, width)`, in this machine's byte order.

    A gray image is one plane, a colour image three (one where all three are the same), a TIFF of several pages or
    channels as many. Content says what it is, not the ending.

    Raises
    ------
    CellsError
        Not an image of these kinds, damaged, larger than 4096×4096, of more than 64 planes, or of another dtype than
        uint8, uint16 or float32.
    """
    raw = _read(path)
    planes = _read_tiff(path, raw) if raw.startswith(_TIFF) else _read_other(path, raw)
    if planes.dtype.name not in _DTYPES:
        raise CellsError(path, "dtype", planes.dtype.name, " or ".join(_DTYPES))
    return np.ascontiguousarray(planes, planes.dtype.newbyteorder("="))


def _read(path: Path) -> bytes:
    try:
        # Not blocking: what has become a pipe since it was listed must not hold everything up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as stream:  # noqa: PTH123 - of a descriptor
            raw = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise CellsError(path, "file", error.strerror or str(error), "a readable file") from error
    if len(raw) > MAX_FILE:
        raise CellsError(path, "file", f"more than {MAX_FILE} bytes", "an image of one cell")
    if not raw:
        raise CellsError(path, "file", "an empty file", "an image of one cell")
    return raw


def _read_other(path: Path, raw: bytes) -> Frame:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("reading PNG, JPEG and BMP", "files") from error
    if raw.startswith(_PNG) and len(raw) > 25 and raw[24] == 16 and raw[25] not in (0, 4):
        raise CellsError(path, "image", "16-bit colour PNG", "16-bit gray, or one file per channel")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(raw), formats=_FORMATS) as image:
                _check_size(path, (1, image.height, image.width))
                mode = _GRAY.get(image.mode) or _COLOUR.get(image.mode)
                pixels = np.asarray(image if mode is None else image.convert(mode))
    except CellsError:
        raise
    except Exception as error:  # decoders raise anything at all on damaged files
        raise CellsError(path, "image", "one that cannot be decoded", "a whole PNG, JPEG, BMP or TIFF") from error
    if pixels.dtype == np.int32 and pixels.size and pixels.min() >= 0 and pixels.max() <= 0xFFFF:
        pixels = pixels.astype(np.uint16)  # how some versions of Pillow hand out 16-bit gray
    return pixels[None] if pixels.ndim == 2 else _gray(np.moveaxis(pixels, 2, 0))


def _read_tiff(path: Path, raw: bytes) -> Frame:
    try:
        import tifffile
    except ImportError as error:
        raise MissingExtraError("reading TIFF", "files") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with tifffile.TiffFile(io.BytesIO(raw)) as tif:
                planes: list[Frame] = []
                for number, page in enumerate(tif.pages):
                    planes += _page(path, page, number)
                    if len(planes) > MAX_PLANES:
                        raise CellsError(path, "planes", f"more than {MAX_PLANES}", "an image of one cell")
                if not planes:
                    raise CellsError(path, "image", "one that cannot be decoded", "a TIFF of at least one page")
                if len({(plane.shape, plane.dtype) for plane in planes}) != 1:
                    raise CellsError(path, "planes", "pages of different size or dtype", "one size and dtype")
                return np.stack(planes)
    except CellsError:
        raise
    except Exception as error:  # as above
        raise CellsError(path, "image", "one that cannot be decoded", "a whole PNG, JPEG, BMP or TIFF") from error


def _page(path: Path, page: object, number: int) -> list[Frame]:
    """Return the planes of one page, after checking what it says of its size."""
    import tifffile

    if number >= MAX_PLANES or not isinstance(page, tifffile.TiffPage | tifffile.TiffFrame):
        raise CellsError(path, "planes", f"more than {MAX_PLANES}", "an image of one cell")
    key = page.keyframe
    if key is None:
        raise CellsError(path, "image", "a page without a description", "a whole PNG, JPEG, BMP or TIFF")
    samples, depth, height, width = key.samplesperpixel, key.imagedepth, key.imagelength, key.imagewidth
    if depth != 1:
        raise CellsError(path, "planes", f"a volume of depth {depth}", "flat images")
    _check_size(path, (samples, height, width))
    dtype = None if key.dtype is None else np.dtype(key.dtype)
    if dtype is None or dtype.name not in _DTYPES:
        raise CellsError(path, "dtype", "none" if dtype is None else dtype.name, " or ".join(_DTYPES))
    if key.tilewidth * key.tilelength > MAX_SIDE * MAX_SIDE:
        raise CellsError(path, "size", "tiles larger than the largest image", f"at most {MAX_SIDE} × {MAX_SIDE}")
    pixels = page.asarray()
    if pixels.size != samples * height * width:
        raise CellsError(path, "planes", f"{pixels.shape}", f"({samples}, {height}, {width})")
    if samples == 1:
        return [pixels.reshape(height, width)]
    if pixels.shape == (height, width, samples):
        pixels = np.moveaxis(pixels, 2, 0)
    planes = pixels.reshape(samples, height, width)
    return list(_gray(planes[:3]) if key.photometric == _RGB else planes)


def _gray(planes: Frame) -> Frame:
    """Return a gray image that was saved in colour as the one plane it is."""
    return planes[:1] if len(planes) == 3 and (planes == planes[:1]).all() else planes


def _check_size(path: Path, shape: tuple[int, int, int]) -> None:
    planes, height, width = shape
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise CellsError(path, "size", f"{height} × {width}", f"at most {MAX_SIDE} × {MAX_SIDE}")
    if not 1 <= planes <= MAX_PLANES:
        raise CellsError(path, "planes", planes, f"1 to {MAX_PLANES}")
