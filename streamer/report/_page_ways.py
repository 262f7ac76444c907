"""The table of ways, with a bar for the efficiency and one with whiskers for the purity."""

from __future__ import annotations

from streamer.report._page_text import count, escape, number
from streamer.report._types import Purity, SortReport, WayReport

BAR = 80
"""Width of a bar's scale, 0 to 1, in px."""


def ways_table(report: SortReport) -> str:
    """Return one row per way."""
    if not report.ways:
        return '<p class="none">No gate leads to a way: nothing was to be sorted.</p>'
    head = "".join(
        f"<th{'' if left else ' class=n'}>{name}</th>"
        for name, left in (
            ("Way", True),
            ("Mode", True),
            ("Target", False),
            ("In gate", False),
            ("Sorted", False),
            ("Rate /s", False),
            ("Efficiency", True),
            ("Purity, 95 %", True),
        )
    )
    rows = "".join(_row(way) for way in report.ways)
    whys = [(way.name, way.purity_why) for way in report.ways if way.purity is None and way.sorted]
    below = "".join(f'<p class="small">{escape(name)}: no purity, {escape(why)}</p>' for name, why in whys)
    return f'<table class="ways"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{below}'


def _row(way: WayReport) -> str:
    window = (
        "" if way.window_us is None else f'<br><span class="small nobreak">window {number(way.window_us, 0)} µs</span>'
    )
    gates = f'<br><span class="small">{escape(", ".join(way.gates))}</span>'
    target = "–" if way.target is None else count(way.target)
    reached = way.target is not None and way.sorted >= way.target
    share = way.efficiency_percent
    efficiency = "–" if share is None else f"{_bar(share / 100)} {number(share, 1)} %"
    return (
        f"<tr><td><b>{escape(way.name)}</b>{gates}</td><td>{escape(way.mode or '–')}{window}</td>"
        f'<td class="n">{target}{" ✓" if reached else ""}</td><td class="n">{count(way.in_gate)}</td>'
        f'<td class="n"><b>{count(way.sorted)}</b></td><td class="n">{number(way.sort_rate_per_s, 2)}</td>'
        f"<td>{efficiency}</td><td>{_purity(way.purity)}</td></tr>"
    )


def _purity(purity: Purity | None) -> str:
    if purity is None:
        return "–"
    low, high = number(100 * purity.low, 1), number(100 * purity.high, 1)
    return (
        f"{_whiskers(purity)} <b>{number(100 * purity.estimate, 1)} %</b>"
        f'<br><span class="small">{low} – {high} %</span>'
    )


def _bar(share: float) -> str:
    filled = max(0.0, min(share, 1.0)) * BAR
    return (
        f'<svg class="bar" width="{BAR}" height="9" aria-hidden="true"><rect class="rail" width="{BAR}" height="9"/>'
        f'<rect class="fill" width="{filled:.1f}" height="9"/></svg>'
    )


def _whiskers(purity: Purity) -> str:
    low, middle, high = (value * BAR for value in (purity.low, purity.estimate, purity.high))
    return (
        f'<svg class="bar" width="{BAR}" height="9" aria-hidden="true"><rect class="rail" width="{BAR}" height="9"/>'
        f'<rect class="span" x="{low:.1f}" width="{max(high - low, 1):.1f}" height="9"/>'
        f'<rect class="mark" x="{max(min(middle, BAR - 2), 0):.1f}" width="2" height="9"/></svg>'
    )
