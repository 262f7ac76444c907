"""Tell a CIF or RIF file from others, and open it."""

from __future__ import annotations

from pathlib import Path

from engines.cells.cif import _tags as tags
from engines.cells.cif._chain import walk
from engines.cells.cif._header import FirstIfd, read_header
from engines.cells.cif._planes import choose
from engines.cells.cif._recording import CifRecording
from engines.cells.cif._source import MAGIC, Source
from engines.errors import CellsError


def sniff_cif(path: Path, head: bytes) -> bool:
    """Return whether the file is a CIF or RIF: a TIFF header in `head`, its first bytes, and telling tags in IFD 0."""
    if head[:4] not in MAGIC:
        return False
    try:
        source = Source(path)
    except CellsError:
        return False
    try:
        ifd = FirstIfd(source)
        return any(tag in ifd for tag in tags.TELLING)
    except CellsError:
        return False
    finally:
        source.close()


def open_cif(path: str | Path) -> CifRecording:
    """Open a CIF or RIF file: read its IFDs, none of its images.

    Raises
    ------
    CellsError
        Naming the file, the place, what was found and what was expected, where it is no such file or holds no image
        that can be read. Single damaged images are left out and counted in the recording's `skipped`.
    """
    source = Source(Path(path))
    try:
        header = read_header(source)
        chain = walk(source)
        images, masks, mine, skipped = choose(chain, header, source.size)
        if not len(images):
            found = ", ".join(f"{reason}: {n}" for reason, n in skipped.items()) or "none"
            raise CellsError(source.path, "images", found, "at least one image that can be read")
        return CifRecording(source, header, images, masks, mine, skipped)
    except BaseException:
        source.close()
        raise
