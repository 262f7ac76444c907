"""The reliability diagram and the curve of abstention."""

from __future__ import annotations

from engines.evaluation._page_text import count, percent, span, table
from engines.evaluation._types import Abstention, Figures, ReliabilityBin

_W, _H, _LEFT, _BOTTOM, _TOP, _RIGHT = 450, 300, 56, 36, 10, 22
_BARS = 54


def reliability_diagram(figures: Figures) -> str:
    """Return the share of right cells beside the mean top probability, per bin, over how many cells each holds."""
    most = max(b.cells for b in figures.reliability)
    bins = [_bin(b, most) for b in figures.reliability if b.cells]
    even = f'<path class="even" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>'
    low = _H + _BARS
    return (
        f'<figure><svg viewBox="0 0 {_W} {low + 8}" width="{_W}" role="img" aria-label="Reliability diagram">'
        f"{_frame('top probability', 'share right', 1.0)}{even}{''.join(bins)}</svg>"
        f"<figcaption>Dashed: probabilities that keep their word. Points: bins of equal width with their mean top "
        f"probability and 95 % interval. Below: cells per bin.</figcaption></figure>"
    )


def coverage_curve(abstention: Abstention) -> str:
    """Return the error among decided cells against their share, with the suggested thresholds."""
    top = _ceiling(max(point.error for point in abstention.curve))
    line = " ".join(f"{_x(p.coverage)} {_y(p.error / top)}" for p in abstention.curve)
    first = abstention.curve[0]
    marks = [
        f'<circle class="mark" cx="{_x(s.coverage)}" cy="{_y(s.error / top)}" r="4"><title>'
        f"error {percent(s.wanted_error)}: threshold {s.threshold:.4f}, {percent(s.coverage)} decided</title></circle>"
        for s in abstention.suggested
        if s.threshold is not None and s.error is not None
    ]
    start = f'<circle class="hit" cx="{_x(first.coverage)}" cy="{_y(first.error / top)}" r="2"/>'
    return (
        f'<figure><svg viewBox="0 0 {_W} {_H}" width="{_W}" role="img" aria-label="Error against coverage">'
        f"{_frame('share of cells decided', 'error among them', top)}"
        f'<path class="curve" d="M{line}"/>{start}{"".join(marks)}</svg>'
        f"<figcaption>Only cells whose top probability reaches a threshold are decided. Area under the curve "
        f"{abstention.area:.4f}. Points: the thresholds below.</figcaption></figure>"
    )


def suggestions(abstention: Abstention) -> str:
    """Return the thresholds for wanted errors as a table."""
    rows = []
    for s in abstention.suggested:
        decided = f"{count(s.decided)} ({percent(s.coverage)})" if s.threshold is not None else "no threshold does"
        assured = "too few cells to say" if s.assured_threshold is None else f"{s.assured_threshold:.4f}"
        share = percent(s.assured_coverage) if s.assured_threshold is not None else "–"
        threshold = "–" if s.threshold is None else f"{s.threshold:.4f}"
        rows.append(
            [percent(s.wanted_error, 0), threshold, decided, percent(s.error, 2), span(s.error_95, 2), assured, share]
        )
    head = ["wanted error", "threshold", "decided", "error", "95 %", "threshold, assured", "decided"]
    return table(head, rows)


def _bin(b: ReliabilityBin, most: int) -> str:
    confidence, accuracy, ends = b.confidence or 0.0, b.accuracy or 0.0, b.accuracy_95 or (0.0, 0.0)
    x, wide, tall = _x(b.low), _x(b.high) - _x(b.low), b.cells / most * (_BARS - 14)
    title = f"{count(b.cells)} cells, mean {percent(confidence)}, right {percent(accuracy)}"
    return (
        f"<g><title>{percent(b.low)} to {percent(b.high)}: {title}</title>"
        f'<path class="whisker" d="M{_x(confidence)} {_y(ends[0])}V{_y(ends[1])}"/>'
        f'<circle class="hit" cx="{_x(confidence)}" cy="{_y(accuracy)}" r="4"/>'
        f'<rect class="hit" x="{x + 1:.1f}" y="{_H + _BARS - tall:.1f}" width="{wide - 2:.1f}" '
        f'height="{max(tall, 0.7):.1f}" opacity=".6"/></g>'
    )


def _frame(across: str, up: str, top: float) -> str:
    parts = []
    for k in range(6):
        share = k / 5
        parts.append(f'<path class="grid" d="M{_x(0)} {_y(share)}H{_x(1)}M{_x(share)} {_y(0)}V{_y(1)}"/>')
        parts.append(
            f'<text class="soft" x="{_x(share)}" y="{_y(0) + 15:.1f}" text-anchor="middle">{100 * share:.0f} %</text>'
        )
        label = f"{100 * share * top:.3g} %"
        parts.append(f'<text class="soft" x="{_LEFT - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">{label}</text>')
    middle = _y(0.5)
    parts.append(f'<text x="{_x(0.5)}" y="{_H - 3}" text-anchor="middle">{across}</text>')
    parts.append(f'<text transform="translate(10 {middle}) rotate(-90)" text-anchor="middle">{up}</text>')
    return "".join(parts) + f'<path class="axis" d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}"/>'


def _x(share: float) -> float:
    return round(_LEFT + share * (_W - _LEFT - _RIGHT), 1)


def _y(share: float) -> float:
    return round(_H - _BOTTOM - share * (_H - _BOTTOM - _TOP), 1)


def _ceiling(error: float) -> float:
    """Return the least of 1 %, 2 %, 5 %, 10 % … that holds the error."""
    return next((top for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if error <= top), 1.0)
