"""What IFD 0 says of the whole file: channels, number of objects, instrument, date."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from engines.cells.cif import _tags as tags
from engines.cells.cif._source import DamagedError, Source
from engines.errors import CellsError

_MAX_CHANNELS = 1024
_MAX_TEXT = 16 << 20
_MAX_LINE = 1 << 16
_ABOUT = {
    tags.DATE: "date",
    tags.INSTRUMENT: "instrument",
    tags.ACQUIRED_BY: "acquisition software",
    tags.PROCESSED_BY: "processing software",
}
# The XML is searched, not parsed: two elements of it are wanted, and no entity is ever expanded.
_IN_USE = re.compile(r"<ChannelInUseIndicators\w{0,20}\s{0,20}>\s{0,99}([01](?:\s{1,9}[01]){0,99})\s{0,99}<")
_MAGNIFICATION = re.compile(r"<Magnification\s{0,20}>\s{0,99}([\d.]{1,20})\s{0,99}<")


@dataclass(frozen=True)
class Header:
    """What the file says of itself; `objects` is the number of objects it names, None where it does not."""

    channels: tuple[str, ...]
    about: dict[str, str]
    objects: int | None


class FirstIfd:
    """The values of IFD 0, by tag."""

    def __init__(self, source: Source) -> None:
        self._source = source
        at = source.first
        try:
            n = int(np.frombuffer(source.read(at, 2), f"{source.order}u2")[0])
            data = source.read(at + 2, 12 * n)
        except DamagedError as error:
            raise CellsError(source.path, "IFD 0", f"{error}: byte {at} of {source.size}", "a whole IFD") from error
        entry = np.dtype([("tag", "u2"), ("type", "u2"), ("count", "u4")]).newbyteorder(source.order)
        self._entries: dict[int, tuple[int, int, int]] = {}
        for i in range(n):
            tag, type_, count = np.frombuffer(data, entry, 1, 12 * i)[0].tolist()
            self._entries[tag] = (type_, count, at + 10 + 12 * i)

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def number(self, tag: int) -> int | None:
        """Return the tag's one whole number, None where it has none."""
        type_, count, at = self._entries.get(tag, (0, 0, 0))
        if type_ not in tags.UNSIGNED or count < 1:
            return None
        return int(np.frombuffer(self._bytes(type_, 1, at), self._source.order + tags.UNSIGNED[type_])[0])

    def text(self, tag: int) -> str:
        """Return the tag's text up to a NUL, empty where it has none; of a long one the first 16 MiB."""
        type_, count, at = self._entries.get(tag, (0, 0, 0))
        if type_ not in (1, 2, 7) or count < 1:
            return ""
        try:
            data = self._bytes(type_, min(count, _MAX_TEXT), at, whole=count)
        except DamagedError as error:
            raise CellsError(self._source.path, f"tag {tag} of IFD 0", f"{count} bytes: {error}", "text") from error
        wide = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(data[:2])
        text = data[2:].decode(wide, "replace") if wide else data.decode("utf-8", "replace")
        return text.split("\0", 1)[0]

    def _bytes(self, type_: int, count: int, at: int, whole: int = 0) -> bytes:
        n = count * (np.dtype(tags.NUMBERS[type_]).itemsize if type_ in tags.NUMBERS else 1)
        if max(n, whole) > 4:
            value = int(np.frombuffer(self._source.read(at, 4), f"{self._source.order}u4")[0])
            at = self._source.place(value, self._source.first)
        return self._source.read(at, n)


def read_header(source: Source) -> Header:
    """Read IFD 0; `CellsError` where it is damaged or not of a CIF or RIF."""
    ifd = FirstIfd(source)
    if not any(tag in ifd for tag in tags.TELLING):
        raise CellsError(source.path, "IFD 0", "an ordinary TIFF", "a CIF or RIF file, with the tags 33000 to 33027")
    xml = ifd.text(tags.XML)
    match = _IN_USE.search(xml)
    in_use = [indicator == "1" for indicator in match[1].split()] if match else []
    names, descriptions = (_split(_clean(ifd.text(tag))) for tag in (tags.CHANNEL_NAMES, tags.CHANNEL_DESCRIPTIONS))
    # Older files leave the number out or say 1 whatever there is; the indicators are right in all that are known.
    n = sum(in_use) or len(names) or ifd.number(tags.CHANNEL_COUNT) or 1
    if not 1 <= n <= _MAX_CHANNELS:
        raise CellsError(source.path, "channels", n, f"1 to {_MAX_CHANNELS}")
    numbers = [i + 1 for i, used in enumerate(in_use) if used] or list(range(1, n + 1))
    about = {name: text for tag, name in _ABOUT.items() if (text := _clean(ifd.text(tag)))}
    chosen = _choose(descriptions, in_use, n)
    if chosen:
        about["channel descriptions"] = "|".join(chosen)
    magnification = _MAGNIFICATION.search(xml)
    if magnification:
        about["magnification"] = magnification[1]
    channels = _choose(names, in_use, n)
    if len(set(channels)) != n or not all(channels):
        channels = [f"Ch{number}" for number in numbers]
    objects = ifd.number(tags.OBJECT_COUNT)
    if objects is not None:
        about["objects"] = str(objects)
    return Header(tuple(channels), about, objects)


def _clean(text: str) -> str:
    """Return the text fit for a terminal."""
    return "".join(c if c.isprintable() else " " for c in text[:_MAX_LINE]).strip()


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split("|")] if text else []


def _choose(texts: list[str], in_use: list[bool], n: int) -> list[str]:
    """Return the texts of the n channels in use; none where their number fits neither all channels nor those."""
    if any(in_use) and len(texts) == len(in_use):
        return [text for text, used in zip(texts, in_use, strict=True) if used]
    return texts if len(texts) == n else []
