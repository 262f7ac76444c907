"""Which files make up the montages that a path names."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from engines.errors import CellsError

# chN.tif, chN_1.tif and ChN_CP0001.tif, as CellProfiler's stitching and its tutorials name them.
CHANNEL_FILE = re.compile(r"ch(?P<channel>\d{1,2})(?:[_-](?P<rest>.+))?\.(?:tiff?|png)", re.IGNORECASE)
_IMAGE = re.compile(r"[^.].*\.(?:tiff?|png)", re.IGNORECASE)


@dataclass(frozen=True)
class Montage:
    """One montage: its files in the order of the channels, what it is called, and its class where a folder says."""

    files: tuple[Path, ...]
    channels: tuple[str, ...]
    name: str
    class_name: str = ""


def list_montages(source: Path) -> list[Montage]:
    """Return the montages of a file, a folder of them, or a folder of folders, one for each class.

    A file `ChN_<rest>` is one channel, its neighbours with the same rest are the others. `CellsError` where there are
    no images, or files both in the folder and in folders inside it.
    """
    try:
        if not source.is_dir():
            return [_with_neighbours(source)]
        direct = _in_folder(source, "")
        with os.scandir(source) as entries:
            folders = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        nested = [montage for name in folders for montage in _in_folder(source / name, name)]
    except (OSError, ValueError) as error:
        raise CellsError(source, "file", getattr(error, "strerror", None) or str(error), "a readable path") from error
    if direct and nested:
        raise CellsError(source, "montages", "images here and in folders inside", "one or the other")
    if not direct and not nested:
        raise CellsError(source, "montages", "no TIFF or PNG file", "montages, or a folder of them for each class")
    return direct or nested


def _with_neighbours(source: Path) -> Montage:
    match = CHANNEL_FILE.fullmatch(source.name)
    if match is None:
        return Montage((source,), (), source.name)
    for montage in _in_folder(source.parent, ""):
        if source in montage.files:
            return montage
    raise CellsError(source, "file", "nothing", "a TIFF or PNG file")


def _in_folder(folder: Path, class_name: str) -> list[Montage]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if _IMAGE.fullmatch(entry.name) and entry.is_file())
    groups: dict[str, list[tuple[int, str]]] = {}
    single = []
    for name in names:
        match = CHANNEL_FILE.fullmatch(name)
        if match is None:
            single.append(Montage((folder / name,), (), name, class_name))
        else:
            groups.setdefault((match["rest"] or "").lower(), []).append((int(match["channel"]), name))
    return single + [_group(folder, rest, sorted(files), class_name) for rest, files in sorted(groups.items())]


def _group(folder: Path, rest: str, files: list[tuple[int, str]], class_name: str) -> Montage:
    numbers = [number for number, _ in files]
    if len(set(numbers)) < len(numbers):
        raise CellsError(folder, f"montage {rest}", "two files for one channel", "one file for each channel")
    names = tuple(folder / name for _, name in files)
    return Montage(names, tuple(f"Ch{number}" for number in numbers), rest or folder.name, class_name)
