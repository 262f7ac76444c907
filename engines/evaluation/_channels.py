"""Name the channels of cells as a bundle does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from engines.bundle import Bundle
from engines.cells import Cells
from engines.errors import InputError

_FORM = "NAME=CHANNEL, comma separated: the bundle's name and the cells' own"


def parse_channel_map(text: str) -> dict[str, str]:
    """Return what `--channels-map "brightfield=Ch1,darkfield=Ch6"` says: the cells' channel by the bundle's name."""
    names: dict[str, str] = {}
    for part in text.split(","):
        name, equals, channel = (word.strip() for word in part.partition("="))
        if not equals or not name or not channel:
            raise InputError("evaluate", "--channels-map", part.strip(), _FORM)
        if name in names or channel in names.values():
            raise InputError("evaluate", "--channels-map", part.strip(), "each channel once")
        names[name] = channel
    return names


def rename_channels(cells: Cells, bundle: Bundle, names: Mapping[str, str]) -> Cells:
    """Return the cells with each channel `names[name]` called `name`.

    Raises
    ------
    InputError
        The bundle has no channel of this name, the cells have none of that, or two would be called the same.
    """
    for name, channel in names.items():
        if name not in bundle.manifest.input.channels:
            raise InputError("channels map", name, name, f"one of {', '.join(bundle.manifest.input.channels)}")
        if channel not in cells.channels:
            raise InputError("channels map", name, channel, f"one of {', '.join(cells.channels)}")
    new = {channel: name for name, channel in names.items()}
    channels = tuple(new.get(channel, channel) for channel in cells.channels)
    if len(set(channels)) < len(channels):
        raise InputError("channels map", "channels", ", ".join(channels), "distinct names: map the other one too")
    return dataclasses.replace(cells, channels=channels)
