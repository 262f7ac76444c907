"""Files of a private cache that say what they are and are refused where they are anything else.

Layout: 8 bytes `CGSEAL01`, a little-endian uint32 with the length of the JSON header, the header, the content. The hash
in the header finds damage, not forgery: whoever can write the file can write the hash. Against forgery stand the owner
and the mode of the file and of its directory, which are checked before anything is read.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from pathlib import Path

import msgspec

from engines.errors import EngineError

MAGIC = b"CGSEAL01"
_MAX_HEADER = 1 << 16
_MAX_CONTENT = 8 << 30


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a sealed file says of its content."""

    kind: str
    key: dict[str, object]
    size: int
    sha256: str


def cache_directory() -> Path:
    """Return the user's cache for plans, made with mode 0700 where it is not there.

    `$XDG_CACHE_HOME/cellgate/tensorrt`, by default under `~/.cache`. Raises `EngineError` if it cannot be made, or is
    another user's or writable by others.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    directory = root / "cellgate" / "tensorrt"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.lstat(directory)
    except OSError as error:
        raise EngineError(
            f"{directory}: {error.strerror or error}; set XDG_CACHE_HOME to a directory of yours"
        ) from error
    _require_private(directory, found, stat.S_ISDIR(found.st_mode), "a directory")
    return directory


def write_sealed(path: Path, kind: str, key: msgspec.Struct, content: bytes) -> None:
    """Write a file of mode 0600 in one step, so that a reader finds the whole or nothing."""
    about = Header(kind, msgspec.to_builtins(key), len(content), hashlib.sha256(content).hexdigest())
    header = msgspec.json.encode(about)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(MAGIC + struct.pack("<I", len(header)) + header)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise EngineError(f"{path}: {error.strerror or error}") from error


def read_sealed(path: Path, kind: str, key: msgspec.Struct) -> bytes | None:
    """Return the content of a sealed file of this kind and key; None where there is no file.

    Raises `EngineError` where the file is another user's, writable by others, a link, damaged, or of another key.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EngineError(f"{path}: {error.strerror or error}; a plan is a plain file of your own") from error
    try:
        found = os.fstat(descriptor)
        _require_private(path, found, stat.S_ISREG(found.st_mode), "a plain file")
    except BaseException:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as stream:
        return _content(path, stream.read(_MAX_CONTENT), kind, msgspec.to_builtins(key))


def _content(path: Path, data: bytes, kind: str, key: object) -> bytes:
    start = len(MAGIC) + 4
    if data[: len(MAGIC)] != MAGIC or len(data) < start:
        raise _refused(path, "it was not written by Cellgate")
    (length,) = struct.unpack("<I", data[len(MAGIC) : start])
    try:
        header = msgspec.json.decode(data[start : start + min(length, _MAX_HEADER)], type=Header)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(path, "its header is damaged") from error
    # Through JSON, as the header came: tuples are lists there.
    if header.kind != kind or header.key != msgspec.json.decode(msgspec.json.encode(key)):
        raise _refused(path, "it belongs to another graph, GPU, driver or TensorRT")
    content = data[start + length :]
    if len(content) != header.size or hashlib.sha256(content).hexdigest() != header.sha256:
        raise _refused(path, "its content is damaged")
    return content


def _refused(path: Path, reason: str) -> EngineError:
    return EngineError(f"{path}: refused, {reason}; build anew with 'cellgate build --again'")


def _require_private(path: Path, found: os.stat_result, right_kind: bool, what: str) -> None:
    if not right_kind:
        raise EngineError(f"{path}: refused, it is not {what}")
    if found.st_uid != os.geteuid():
        raise EngineError(f"{path}: refused, it belongs to user {found.st_uid}, not to you ({os.geteuid()})")
    if found.st_mode & 0o022:
        raise EngineError(f"{path}: refused, others can write to it (mode {stat.S_IMODE(found.st_mode):o})")
