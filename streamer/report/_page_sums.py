"""Aborts by reason, the sums of the account with a tick for each that holds, and the percentiles of the timing."""

from __future__ import annotations

from streamer.report._page_text import count, escape, number, words
from streamer.report._types import SortReport, WayReport


def aborts(report: SortReport) -> str:
    """Return a row per reason and a column per way; hardware's own aborts come last and in a colour of their own."""
    found = _by_reason(report.ways)
    longest = max((sum(cells) for *_, cells in found), default=0)
    if not longest:
        return '<p class="none">No in-gate cell was lost.</p>'
    wide = max(40, 340 - 80 * len(report.ways))
    rows = []
    for kind, reason, cells in found:
        of_ways = "".join(_share(n, way.in_gate) for n, way in zip(cells, report.ways, strict=True))
        rows.append(
            f'<tr><td><i class="dot {kind}"></i>{words(reason)}</td>{of_ways}<td class="n">{count(sum(cells))}</td>'
            f'<td><svg class="bar" width="{wide}" height="9" aria-hidden="true">'
            f'<rect class="{kind}" width="{max(sum(cells) / longest * wide, 1):.1f}" height="9"/></svg></td></tr>'
        )
    ways = "".join(f'<th class="n">{escape(way.name)}</th>' for way in report.ways)
    legend = '<i class="dot software"></i>software and coincidence <i class="dot hardware"></i>hardware'
    return (
        f'<p class="legend small">{legend}</p><table class="aborts"><thead><tr><th>Reason</th>{ways}'
        f'<th class="n">All</th><th></th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def account(report: SortReport) -> str:
    """Return the three sums every series must satisfy, and what became of the cells that were not kept."""
    cells = report.account
    not_kept = sum(cells.not_kept.values())
    by_ways = sum(way.sorted for way in report.ways)
    pending = f" + {count(cells.pending)} pending" if cells.pending else ""
    sums = (
        (
            cells.sent == cells.decided + cells.pending + report.missing and report.missing >= 0,
            f"{count(cells.sent)} sent = {count(cells.decided)} decided{pending} + {count(report.missing)} missing",
        ),
        (
            cells.decided == cells.kept + not_kept,
            f"{count(cells.decided)} decided = {count(cells.kept)} kept + {count(not_kept)} not kept",
        ),
        (
            cells.kept == by_ways,
            f"{count(cells.kept)} kept = {' + '.join(count(way.sorted) for way in report.ways) or 0} by way",
        ),
    )
    ticks = "".join(
        f'<li class="{"holds" if holds else "fails"}"><b>{"✓" if holds else "✗"}</b> {text}</li>'
        for holds, text in sums
    )
    reasons = "".join(
        f'<tr><td>{words(reason)}</td><td class="n">{count(n)}</td></tr>'
        for reason, n in sorted(cells.not_kept.items(), key=lambda item: -item[1])
    )
    errors = "".join(f'<li class="fails"><b>✗</b> {escape(text)}</li>' for text in report.account_errors)
    table = f"<table><thead><tr><th>Not kept</th><th class=n>Cells</th></tr></thead><tbody>{reasons}</tbody></table>"
    return f'<ul class="sums">{ticks}{errors}</ul>{table if reasons else ""}'


def timing(report: SortReport) -> str:
    """Return the percentiles of latency and slack, in µs."""
    facts = report.timing
    if facts is None:
        return '<p class="none">Nothing was decided.</p>'
    rows = _percentiles("Latency, arrival to decision, µs", facts.latency_us, "" if facts.exact else "≤ ")
    rows += _percentiles("Slack, decision to deadline, µs", facts.slack_us, "" if facts.exact else "≥ ")
    missed = f"{count(facts.deadline_misses)} of {count(facts.with_deadline)} decided after the deadline"
    return f"{rows}<p>{missed if facts.with_deadline else 'No deadline was set.'}</p>"


def _by_reason(ways: list[WayReport]) -> list[tuple[str, str, list[int]]]:
    """Return kind, reason and the cells of each way; software's first, the most frequent on top."""
    kinds = {
        "software": [way.aborts.software for way in ways],
        "hardware": [way.aborts.hardware for way in ways],
    }
    found: list[tuple[str, str, list[int]]] = []
    for kind, reasons in kinds.items():
        names = dict.fromkeys(name for way in reasons for name in way)
        rows = [(kind, name, [way.get(name, 0) for way in reasons]) for name in names]
        found += sorted(rows, key=lambda row: -sum(row[2]))
    return found


def _share(cells: int, in_gate: int) -> str:
    percent = f' <span class="small">{number(100 * cells / in_gate, 1)} %</span>' if in_gate else ""
    return f'<td class="n">{count(cells)}{percent}</td>'


def _percentiles(title: str, values: dict[str, float], bound: str) -> str:
    if not values:
        return ""
    names = "".join(f'<th class="n">{escape(name)}</th>' for name in values)
    cells = "".join(f'<td class="n">{bound}{number(value, 0)}</td>' for value in values.values())
    return f"<h3>{title}</h3><table><thead><tr>{names}</tr></thead><tbody><tr>{cells}</tr></tbody></table>"
