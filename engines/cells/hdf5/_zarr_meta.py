"""A Zarr array's metadata (v2 `.zarray`, v3 `zarr.json`), read and judged before the zarr library sees the store.

Zarr lets metadata name any codec that is installed, pickle among them; only plain ones are allowed here. Sources:
the Zarr storage specification, version 2, and the Zarr core specification, version 3.1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.errors import CellsError

# Codec name -> its name for `check_packed`, None for the ones that do not pack.
_V2_PACKERS = {"zlib": "deflate", "gzip": "gzip", "zstd": "zstd", "blosc": "blosc", "lz4": "lz4-le"}
_V2_FILTERS = ("vlen-utf8",)  # the others size or divide by numbers of their own
_V3_CODECS = {
    **dict.fromkeys(("bytes", "transpose", "crc32c", "vlen-utf8")),
    **{name: name for name in ("gzip", "zstd", "blosc")},
}
_NUMBERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
_MAX_DIMS = 5
_MAX_LENGTH = 1 << 48


@dataclass(frozen=True)
class ArrayMeta:
    """What a store says of one array; `texts` where its items are texts of any length."""

    version: int
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    codec: str | None
    texts: bool
    prefix: str
    separator: str

    def key(self, at: Sequence[int]) -> str:
        """Return the key of a chunk below the array."""
        rest = self.separator.join(str(position) for position in at)
        if not at:
            return self.prefix or "0"
        return f"{self.prefix}{self.separator}{rest}" if self.prefix else rest


def parse_json(source: object, key: str, text: bytes) -> dict[str, Any]:
    """Return a metadata document; `CellsError` where it is no JSON object."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CellsError(source, key, str(error), "JSON") from error
    if not isinstance(document, dict):
        raise CellsError(source, key, type(document).__name__, "a JSON object")
    return document


def parse_v2(source: object, key: str, document: dict[str, Any]) -> ArrayMeta:
    """Return what a `.zarray` says."""
    shape, chunks = _lengths(source, key, document, "shape"), _lengths(source, key, document, "chunks")
    codec = _named(source, key, [document.get("compressor")], "id", _V2_PACKERS)
    filters = document.get("filters") or []
    names = _names(source, key, filters, "id")
    for name in names:
        if name not in _V2_FILTERS:
            raise CellsError(source, key, f"filter {name}", f"one of {', '.join(_V2_FILTERS)}")
    texts = document.get("dtype") == "|O" and names == ["vlen-utf8"]
    if not texts and "vlen-utf8" in names:
        raise CellsError(source, key, "vlen-utf8 of other than texts", "dtype |O")
    dtype = np.dtype(object) if texts else _dtype(source, key, document.get("dtype"))
    separator = document.get("dimension_separator", ".")
    return _meta(source, key, 2, shape, chunks, dtype, codec, texts, "", separator)


def parse_v3(source: object, key: str, document: dict[str, Any]) -> ArrayMeta:
    """Return what the `zarr.json` of an array says."""
    if document.get("storage_transformers"):
        raise CellsError(source, key, "storage transformers", "none")
    shape = _lengths(source, key, document, "shape")
    grid = _configured(source, key, document, "chunk_grid", ("regular",))[1]
    chunks = _lengths(source, key, grid, "chunk_shape")
    encoding, settings = _configured(source, key, document, "chunk_key_encoding", ("default", "v2"))
    separator = settings.get("separator", "/" if encoding == "default" else ".")
    codec = _named(source, key, document.get("codecs"), "name", _V3_CODECS)
    kind = document.get("data_type")
    texts = kind == "string"
    names = _names(source, key, document["codecs"], "name")
    if texts != ("vlen-utf8" in names) or (texts and names[0] != "vlen-utf8") or (texts and "crc32c" in names):
        raise CellsError(source, key, f"codecs {', '.join(names)}", "vlen-utf8 for texts, and for nothing else")
    dtype = np.dtype(object) if texts else _v3_dtype(source, key, kind)
    return _meta(source, key, 3, shape, chunks, dtype, codec, texts, "c" if encoding == "default" else "", separator)


def _meta(
    source: object, key: str, version: int, shape: tuple[int, ...], chunks: tuple[int, ...], *rest: Any
) -> ArrayMeta:
    if len(shape) != len(chunks) or min(chunks, default=1) < 1:
        raise CellsError(source, key, f"chunks {chunks} of shape {shape}", "one length of at least 1 per axis")
    if rest[-1] not in (".", "/"):
        raise CellsError(source, key, f"separator {rest[-1]!r}", "a dot or a slash")
    return ArrayMeta(version, shape, chunks, *rest)


def _lengths(source: object, key: str, document: dict[str, Any], name: str) -> tuple[int, ...]:
    value = document.get(name)
    if not isinstance(value, list) or len(value) > _MAX_DIMS or not all(map(_is_length, value)):
        raise CellsError(source, key, f"{name} {value}", f"up to {_MAX_DIMS} lengths")
    return tuple(value)


def _is_length(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_LENGTH


def _configured(
    source: object, key: str, document: dict[str, Any], name: str, known: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    value = document.get(name)
    settings = value.get("configuration", {}) if isinstance(value, dict) else None
    if not isinstance(value, dict) or value.get("name") not in known or not isinstance(settings, dict):
        raise CellsError(source, key, f"{name} {value}", f"one of {', '.join(known)}")
    return str(value["name"]), settings


def _names(source: object, key: str, codecs: Any, field: str) -> list[str]:
    if not isinstance(codecs, list) or not all(isinstance(codec, dict) for codec in codecs):
        raise CellsError(source, key, f"codecs {codecs}", "a list of codecs")
    return [str(codec.get(field)) for codec in codecs]


def _named(source: object, key: str, codecs: Any, field: str, known: dict[str, Any]) -> str | None:
    """Return the packing codec of the list, None for none; `CellsError` for one not allowed, or more than one."""
    given = [codec for codec in codecs if codec is not None] if isinstance(codecs, list) else codecs
    packers = []
    for name in _names(source, key, given, field):
        if name not in known:
            raise CellsError(source, key, f"codec {name}", f"one of {', '.join(known)}")
        if known[name] is not None:
            packers.append(str(known[name]))
    if len(packers) > 1:
        raise CellsError(source, key, f"packed twice ({', '.join(packers)})", "at most one packing codec")
    return packers[0] if packers else None


def _dtype(source: object, key: str, name: Any) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] | None = np.dtype(name) if isinstance(name, str) else None
    except (TypeError, ValueError, SyntaxError):  # the last for a number such as 01, which NumPy reads as Python would
        dtype = None
    if dtype is None or dtype.hasobject or (dtype.name not in _NUMBERS and dtype.kind not in "SU"):
        raise CellsError(source, key, f"dtype {name}", "numbers or texts")
    return dtype


def _v3_dtype(source: object, key: str, kind: Any) -> np.dtype[Any]:
    if isinstance(kind, dict) and kind.get("name") == "fixed_length_utf32":
        settings = kind.get("configuration")
        length = settings.get("length_bytes") if isinstance(settings, dict) else None
        if type(length) is int and 0 < length <= 1 << 20 and length % 4 == 0:
            return np.dtype(f"<U{length // 4}")
    if kind not in _NUMBERS:
        raise CellsError(source, key, f"data_type {kind}", f"one of {', '.join(_NUMBERS)}, string")
    return np.dtype(str(kind))
