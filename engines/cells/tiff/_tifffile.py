"""tifffile: loaded when first needed, kept quiet while it reads."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from engines.errors import MissingExtraError

_QUIET: ContextVar[bool] = ContextVar("tifffile_quiet", default=False)
_COMPRESSIONS = {
    1: "none", 2: "CCITT RLE", 3: "CCITT T.4", 4: "CCITT T.6", 5: "LZW", 6: "old JPEG", 7: "JPEG", 8: "Deflate",
    30817: "Amnis greyscale", 30818: "Amnis mask", 32773: "PackBits", 32946: "Deflate (old)", 33003: "JPEG 2000",
    33004: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 34887: "LERC", 34892: "JPEG (lossy)", 34925: "LZMA",
    34934: "JPEG XR", 50000: "Zstd", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip


def load_tifffile() -> Any:
    """Return the module `tifffile`, its log turned off inside `quiet`; `MissingExtraError` where not installed."""
    try:
        tifffile = importlib.import_module("tifffile")
    except ImportError as error:
        raise MissingExtraError("reading TIFF files", "files") from error
    logger = logging.getLogger("tifffile")
    if _heard not in logger.filters:
        logger.addFilter(_heard)
    return tifffile


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what tifffile logs in this thread: real exports have odd tags it reports for every single file."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def compression_name(code: int) -> str:
    """Return the common name of a TIFF compression, with its number where it is not the plain one."""
    return f"{_COMPRESSIONS.get(code, 'unknown')} ({code})"


def _heard(_record: logging.LogRecord) -> bool:
    return not _QUIET.get()
