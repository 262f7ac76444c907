"""Find the images of a folder: levels below it, without following links that lead out of it."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from engines.errors import CellsError, InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
LEVELS = ("class", "group")
MAX_FILES = 5_000_000
_IGNORED = re.compile(r"\..*|__MACOSX|Thumbs\.db|desktop\.ini", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class ImageFile:
    """An image found: its path, and the folders above it by level."""

    path: Path
    label: str = ""
    group: str = ""


class Walk:
    """The images below a folder.

    Attributes
    ----------
    images
        In natural order of class, group and name.
    skipped
        Cells left out so far, by reason.
    others
        Number of files that are no images by their ending.
    """

    def __init__(self, root: Path, levels: tuple[str, ...]) -> None:
        self.images: list[ImageFile] = []
        self.skipped: Counter[str] = Counter()
        self.others = 0
        self._root, self._real, self._levels = root, os.path.realpath(root), levels
        self._go(root, {}, 0)
        self.images.sort(key=lambda image: (natural(image.label), natural(image.group), natural(image.path.name)))

    def _go(self, folder: Path, names: dict[str, str], depth: int) -> None:
        for entry in listing(folder):
            if entry.is_symlink() and not self._inside(entry.path):
                self.skipped["a link that leads out of the folder"] += 1
            elif entry.is_dir():
                if depth < len(self._levels):
                    self._go(Path(entry.path), {**names, self._levels[depth]: entry.name}, depth + 1)
                else:
                    self.skipped[f"a folder deeper than {'/'.join(self._levels) or 'the images'}"] += 1
            elif not entry.is_file() or not entry.name.lower().endswith(ENDINGS):
                self.others += 1
            elif depth < len(self._levels):
                self.skipped[f"an image outside a {self._levels[depth]} folder"] += 1
            else:
                self.images.append(ImageFile(Path(entry.path), names.get("class", ""), names.get("group", "")))
                if len(self.images) > MAX_FILES:
                    raise CellsError(self._root, "images", f"more than {MAX_FILES}", "fewer")

    def _inside(self, path: str) -> bool:
        real = os.path.realpath(path)
        return real == self._real or real.startswith(self._real + os.sep)


def listing(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder by name, without hidden files and what systems leave there."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not _IGNORED.fullmatch(entry.name)), key=lambda e: e.name)
    except OSError as error:
        raise CellsError(folder, "folder", error.strerror or str(error), "a readable folder") from error


def find_levels(root: Path) -> tuple[Path, tuple[str, ...]]:
    """Return where the images' folders begin, and what the folders above an image are when nobody says.

    Images right in the folder: none. Images one folder down: classes. A folder that holds nothing but one other (as
    many unpacked archives do) is passed through.
    """
    for _ in range(8):
        entries = listing(root)
        folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
        if any(_is_image(entry) for entry in entries):
            # A few images beside folders of images are a mistake that the walk counts, not the cells.
            return root, ("class",) if any(holds_images(Path(folder.path)) for folder in folders) else ()
        if len(folders) != 1 or holds_images(Path(folders[0].path)):
            break
        root = Path(folders[0].path)
    return root, ("class",)


def check_levels(levels: str, root: Path) -> tuple[str, ...]:
    """Return `class`, `group/class` … as its parts; empty for images right in the folder."""
    parts = tuple(levels.split("/")) if levels else ()
    if len(set(parts)) != len(parts) or not set(parts) <= set(LEVELS):
        raise InputError(root, "levels", levels, "class, group, group/class, class/group or nothing")
    return parts


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts `Ch2` before `Ch10`."""
    parts = _NUMBER.split(name)
    return tuple((0, int(part), "") if part.isdecimal() and len(part) < 20 else (1, 0, part) for part in parts)


def holds_images(folder: Path) -> bool:
    """Tell whether an image lies right in this folder."""
    try:
        return any(_is_image(entry) for entry in listing(folder))
    except CellsError:
        return False


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(ENDINGS) and entry.is_file()
