"""Write a file so that its name never stands for half of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engines.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a hidden name beside `path` to write to; it is synced and renamed to `path` unless the block fails.

    Raises
    ------
    InputError
        The file cannot be written; what was written of it is removed, and a file that was there before stays.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise InputError(path, "file", error.strerror or str(error), "a file that can be written") from error
    finally:
        with suppress(OSError):  # a disk that is read-only says so, even where there is nothing to remove
            part.unlink(missing_ok=True)
