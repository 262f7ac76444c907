"""What recorders have said of the cells handed to them, added up."""

from __future__ import annotations

from streamer.wire import Taken

_REMEMBERED = 64


class Told:
    """The latest word of each recorder on each series; its counts begin anew with each of both."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], Taken] = {}
        self._older = Taken()

    def take(self, token: str, taken: Taken) -> None:
        """Keep what a recorder says now."""
        key = token, taken.series
        self._latest.pop(key, None)
        self._latest[key] = taken
        while len(self._latest) > _REMEMBERED:
            _add(self._older, self._latest.pop(next(iter(self._latest))))

    def of(self, series: str) -> Taken:
        """Return what all recorders together say of a series."""
        return _sum([taken for (_, of), taken in self._latest.items() if of == series])

    def total(self) -> Taken:
        """Return what all recorders together say since the start."""
        return _sum([self._older, *self._latest.values()])


def _sum(parts: list[Taken]) -> Taken:
    total = Taken(dropped={})
    for part in parts:
        _add(total, part)
    return total


def _add(total: Taken, part: Taken) -> None:
    total.recorded += part.recorded
    total.not_asked += part.not_asked
    total.lost += part.lost
    for key, value in part.dropped.items():
        total.dropped[key] = total.dropped.get(key, 0) + value
