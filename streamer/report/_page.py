"""The sort report as a page to print: one HTML file that needs nothing else, laid out for A4."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from streamer.report._page_style import STYLE
from streamer.report._page_sums import aborts, account, timing
from streamer.report._page_text import count, escape, number
from streamer.report._page_ways import ways_table
from streamer.report._types import SortReport

ENDED = {
    "": "not closed",
    "end": "ended by the cytometer",
    "lost": "cytometer lost",
    "stopped": "streamer stopped",
    "replaced": "replaced by the next series",
}
HASH_SHOWN = 12


def write_page(report: SortReport, path: Path) -> None:
    """Write the page; it appears whole or not at all. `OSError` where the disk refuses."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(format_page(report), encoding="utf-8")
    partial.replace(path)


def format_page(report: SortReport) -> str:
    """Return the page as HTML."""
    title = escape(f"Sort report {report.series}")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
{_header(report)}
{_tiles(report)}
<section><h2>Ways</h2>{ways_table(report)}</section>
<section><h2>Aborts</h2>{aborts(report)}</section>
<div class="two">
<section><h2>Account</h2>{account(report)}</section>
<section><h2>Timing</h2>{timing(report)}</section>
</div>
{_notes(report)}
{_signatures()}
{_footer(report)}
</body>
</html>
"""


def _header(report: SortReport) -> str:
    ended = ENDED.get(report.ended, report.ended)
    good = report.ended == "end" and not report.account_errors
    facts = {
        "Started": _moment(report.started_unix_ns),
        "Elapsed": f"{number(report.elapsed_s, 1)} s",
        "Operator": report.info.get("operator", "–"),
        "Bundle": f"{report.bundle} · {report.bundle_sha256[:HASH_SHOWN]}…",
        "Engine": report.engine,
        "Sort delay, lead": f"{_micros(report.sort_delay_us)}, {_micros(report.actuation_lead_us)}",
        **{name: text for name, text in report.info.items() if name != "operator"},
    }
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items())
    return f"""<header>
<div class="title"><div><p class="kind">Sort report</p><h1>{escape(report.series)}</h1></div>
<p class="badge {"good" if good else "warn"}">{escape(ended)}</p></div>
<dl class="facts">{cells}</dl>
</header>"""


def _tiles(report: SortReport) -> str:
    processed = report.processed_percent
    tiles = (
        ("Total events", count(report.total_events)),
        ("Processed", "–" if processed is None else f"{number(processed, 2)} %"),
        ("Sorted", count(report.account.kept)),
        ("Aborts", count(sum(way.aborts.total for way in report.ways))),
        ("Missing", count(report.missing)),
    )
    cells = "".join(f'<div><p class="figure">{value}</p><p class="label">{name}</p></div>' for name, value in tiles)
    return f'<div class="tiles">{cells}</div>'


def _notes(report: SortReport) -> str:
    if not report.notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return f'<section class="notes"><h2>Notes</h2><ul>{items}</ul></section>'


def _signatures() -> str:
    return "".join(
        [
            '<div class="sign">',
            *(f"<p>{name}</p>" for name in ("Operator", "Date", "Signature", "Reviewed by")),
            "</div>",
        ]
    )


def _footer(report: SortReport) -> str:
    return f"""<footer>
<p>Efficiency: sorted of in-gate cells. Abort: an in-gate cell that was not sorted. Purity: the expected share of right
cells among those sorted, from the bundle's calibrated probabilities, with the 95 % interval of a Poisson-binomial
count; it is as true as the calibration is on these cells.</p>
<p class="mono">{escape(report.software)} · bundle SHA-256 {escape(report.bundle_sha256)}</p>
</footer>"""


def _moment(unix_ns: int) -> str:
    try:
        return datetime.fromtimestamp(unix_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):  # whatever a file may say
        return str(unix_ns)


def _micros(value: float | None) -> str:
    return "none" if value is None else f"{number(value, 0)} µs"
