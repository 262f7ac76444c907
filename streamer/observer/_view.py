"""The terminal dashboard: one snapshot on one screen, 80 by 24 or wider."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from streamer.observer._account_view import account_section
from streamer.observer._header_view import header_section, silence
from streamer.observer._health import is_fresh
from streamer.observer._moment import Moment
from streamer.observer._shares_view import classes_section, reasons_section
from streamer.observer._timing_view import latency_section, rates_section
from streamer.wire import Snapshot

_TWO_COLUMNS_FROM = 72
_WIDEST = 140


def render(snapshot: Snapshot | None, previous: Snapshot | None, *, age_s: float) -> RenderableType:
    """Return the dashboard of a snapshot, to be printed or put into a `rich.live.Live`.

    Parameters
    ----------
    snapshot
        The latest snapshot, or None before the first.
    previous
        An earlier snapshot: rates and the latencies of 'now' are of the time between the two. One of another run of
        the streamer counts as none.
    age_s
        Seconds since the snapshot was received.
    """
    if snapshot is None:
        return Padding(silence(), (1, 2))
    # Without a fresh snapshot there is no 'now'.
    return _Dashboard(Moment.of(snapshot, previous if is_fresh(snapshot, age_s) else None), age_s)


class _Dashboard:
    """The sections side by side where there is room, else one below the other."""

    def __init__(self, moment: Moment, age_s: float) -> None:
        self._moment = moment
        self._age_s = age_s

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        moment, width = self._moment, min(options.max_width, _WIDEST)
        beside = width >= _TWO_COLUMNS_FROM
        parts = [
            header_section(moment.now, self._age_s),
            *_place([rates_section(moment), latency_section(moment)], beside=beside),
            account_section(moment.now),
            *_place([classes_section(moment.now), reasons_section(moment.now)], beside=beside),
        ]
        yield from console.render(Group(*parts), options.update(width=width, height=None))


def _place(sections: list[RenderableType], *, beside: bool) -> list[RenderableType]:
    if not beside:
        return sections
    grid = Table.grid(expand=True, padding=0)
    grid.add_column(ratio=1)
    grid.add_column(width=2)
    grid.add_column(ratio=1)
    grid.add_row(sections[0], Text(), sections[1])
    return [grid]
