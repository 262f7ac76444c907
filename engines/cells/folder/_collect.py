"""Put the images of a folder together to cells."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engines.cells._recording import plain_text
from engines.cells.folder._pattern import Namer
from engines.cells.folder._walk import ImageFile, natural
from engines.errors import InputError


@dataclass(frozen=True)
class Files:
    """The images of one cell, in the order of the channels; one image where channels are not in the name."""

    name: str
    paths: tuple[Path, ...]
    label: str
    group: str


@dataclass
class Collected:
    """The cells of a folder. `channels` is empty where the names do not say them."""

    cells: list[Files] = field(default_factory=list)
    channels: tuple[str, ...] = ()
    left_out: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)


def collect(images: list[ImageFile], name_of: Namer, asked: tuple[str, ...] | None, root: Path) -> Collected:
    """Return the cells of these images.

    The channels are those asked for, or those that at least half of the cells have, in natural order. A cell without
    one of them is skipped and counted; an image of another channel is counted in `left_out`. `InputError` names a
    channel that no image is of.
    """
    found = Collected()
    together: dict[tuple[str, str, str], dict[str, Path]] = defaultdict(dict)
    for image in images:
        named = name_of(image.path.name)
        if named is None:
            found.skipped["name: does not follow the pattern"] += 1
            continue
        key = (named.label or image.label, named.group or image.group, named.cell)
        # Two images of one name that differ in their ending are two cells where names say no channel.
        if not named.channel and named.channel in together[key]:
            key = (*key[:2], image.path.name)
        if named.channel in together[key]:
            found.skipped[f"channel {named.channel}: more than one image"] += 1
            continue
        together[key][named.channel] = image.path
    found.channels = _channels(together.values(), asked, root)
    wanted = found.channels or ("",)
    for (label, group, name), paths in together.items():
        missing = [channel for channel in wanted if channel not in paths]
        found.left_out.update(channel for channel in paths if channel not in wanted)
        if missing:
            found.skipped[f"channel {missing[0] or 'without a name'}: no image"] += 1
        else:
            files = tuple(paths[channel] for channel in wanted)
            found.cells.append(Files(plain_text(name), files, plain_text(label), plain_text(group)))
    return found


def _channels(cells: Collection[Mapping[str, Path]], asked: tuple[str, ...] | None, root: Path) -> tuple[str, ...]:
    counts = Counter(channel for paths in cells for channel in paths if channel)
    if not counts:
        return ()
    if asked is None:
        return tuple(sorted((name for name, n in counts.items() if 2 * n >= len(cells)), key=natural))
    for channel in asked:
        if channel not in counts:
            raise InputError(root, "channels", channel, f"one of {', '.join(sorted(counts, key=natural))}")
    return asked
