"""The foot of the dashboard: which classes the cells are of, and why cells were not kept."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from streamer.observer._format import count, printable, share
from streamer.observer._pieces import ACCENT, QUIET, bar, grid, label, section
from streamer.vocabulary import Reason
from streamer.wire import Snapshot

_ROWS = 4
_EXPECTED = {Reason.NOT_IN_GATE.label}
"""Not wanted rather than lost: everything else is a cell that might have been worth keeping."""


def classes_section(snapshot: Snapshot) -> RenderableType:
    """Return a bar for each of the commonest classes of the series."""
    return section("classes of the series", _bars(snapshot.class_mix))


def reasons_section(snapshot: Snapshot) -> RenderableType:
    """Return a bar for each of the commonest reasons of the series."""
    return section("not kept, by reason", _bars(snapshot.account.not_kept, alarm=True))


def _bars(counts: dict[str, int], *, alarm: bool = False) -> RenderableType:
    ranked = sorted(((name, number) for name, number in counts.items() if number), key=lambda item: -item[1])
    if not ranked:
        return Text("none yet", style=QUIET)
    whole = sum(number for _, number in ranked)
    # The last row is for the rest, so that the rows still add up to the whole.
    shown = ranked if len(ranked) <= _ROWS else ranked[: _ROWS - 1]
    rest = sum(number for _, number in ranked[len(shown) :])
    table = grid("left", "fill", "right", "right")
    for name, number in shown:
        color = "yellow" if alarm and name not in _EXPECTED else ACCENT
        table.add_row(printable(name, 16), bar(number, whole, color), count(number), share(number, whole))
    if rest:
        table.add_row(
            label(f"{len(ranked) - len(shown)} more"), bar(rest, whole, QUIET), count(rest), share(rest, whole)
        )
    return table
