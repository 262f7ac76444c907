"""Say in a few words what a file or folder looks like that no reader takes."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

_MAGIC = (
    (b"PK\x03\x04", "a zip archive without arrays: unpack it"),
    (b"\x1f\x8b", "a gzip file: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"\x93NUMPY", "a single NumPy array; an .npz also has channels"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file without cells that are known here"),
    (b"II*\x00", "a TIFF of no kind known here"),
    (b"MM\x00*", "a TIFF of no kind known here"),
    (b"II+\x00", "a TIFF of no kind known here"),
    (b"MM\x00+", "a TIFF of no kind known here"),
    (b"\x89PNG", "a single PNG image: give its folder"),
    (b"\xff\xd8\xff", "a single JPEG image: give its folder"),
    (b"BM", "a single BMP image: give its folder"),
    (b"FCS", "an FCS file: it holds no images"),
    (b"%PDF", "a PDF"),
    (b"\x89CGJ", "a journal of Cellgate"),
)
_LOOK_AT = 1000


def looks_like(path: Path, head: bytes) -> str:
    """Return what the content looks like; `head` is the first bytes of a file."""
    if path.is_dir():
        return _folder(path)
    if not head:
        return "an empty file"
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    text = head.decode("latin-1")
    if not text.isascii() or not all(c.isprintable() or c.isspace() for c in text):
        return f"a file that begins with {head[:8].hex(' ')}"
    return f"text: {text.strip().splitlines()[0][:30] if text.strip() else 'blank'}"


def _folder(path: Path) -> str:
    try:
        names = [entry.name for entry in itertools.islice(path.iterdir(), _LOOK_AT)]
    except OSError as error:
        return f"a folder that cannot be read: {error.strerror}"
    endings = Counter(Path(name).suffix.lower() or "no ending" for name in names)
    if not endings:
        return "an empty folder"
    return "a folder of " + ", ".join(f"{count} {ending}" for ending, count in endings.most_common(3))
