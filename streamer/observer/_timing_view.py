"""The middle of the dashboard: how many cells per second, and how long each of them takes."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.text import Text

from streamer.observer._format import ABSENT, count, maximum, percentile, seconds, share
from streamer.observer._moment import Moment
from streamer.observer._percentiles import histogram_max, histogram_percentile
from streamer.observer._pieces import BAD, GOOD, WARN, bar, grid, label, titled
from streamer.wire import HistogramData

_ARRIVAL, _TRIGGER = "latency_from_arrival_seconds", "latency_from_trigger_seconds"
_SLACK, _ENGINE = "deadline_slack_seconds", "engine_seconds"


def rates_section(moment: Moment) -> RenderableType:
    """Return cells per second, and what is on its way."""
    now = moment.now
    rates = titled("cells per second", "now", "series")
    for term in ("received", "decided", "kept"):
        rates.add_row(label(term), "", _bold(_rate(moment.rate(term))), _rate(moment.mean_rate(term)))
    decided, kept = moment.rate("decided"), moment.rate("kept")
    kept_now = ABSENT if decided is None or kept is None else share(kept, decided)
    rates.add_row(label("share kept"), "", _bold(kept_now), share(now.account.kept, now.account.decided))
    flow = grid("left", "fill", "right")
    used = now.waiting + now.in_flight
    fullness = used / now.slots if now.slots else 0.0
    color = GOOD if fullness < 0.5 else WARN if fullness < 0.9 else "red"
    flow.add_row(label("slots used"), bar(used, now.slots, color), f"{count(used)} of {count(now.slots)}")
    flow.add_row(label("on their way"), "", f"{count(now.waiting)} waiting, {count(now.in_flight)} on engine")
    flow.add_row(label("batch size"), "", _sizes(moment.recent("batch_size_cells")))
    flow.add_row(label("queue depth"), "", _sizes(moment.recent("queue_depth_cells")))
    return Group(rates, flow)


def latency_section(moment: Moment) -> RenderableType:
    """Return percentiles of the time from arrival to decision, and the worst of the other times."""
    table = titled("arrival latency", "now", "overall")
    recent, total = moment.recent(_ARRIVAL), moment.total(_ARRIVAL)
    for q in (50.0, 90.0, 99.0, 99.9):
        table.add_row(label(f"p{q:g}"), "", _bold(percentile(recent, q)), percentile(total, q))
    table.add_row(label("max"), "", _bold(maximum(recent)), maximum(total))
    for name, text in ((_TRIGGER, "p99 from trigger"), (_ENGINE, "p99 on engine")):
        table.add_row(label(text), "", _bold(percentile(moment.recent(name), 99)), percentile(moment.total(name), 99))
    delay_us = moment.now.sort_delay_us
    slack = (
        "slack p1" if delay_us is None else f"slack p1 of {seconds((delay_us - moment.now.actuation_lead_us) / 1e6)}"
    )
    table.add_row(label(slack), "", _slack(moment.recent(_SLACK)), _slack(moment.total(_SLACK)))
    return table


def _rate(value: float | None) -> str:
    return ABSENT if value is None else count(value)


def _bold(text: str) -> Text:
    return Text(text, style="bold")


def _slack(data: HistogramData | None) -> Text:
    """99 % of the cells have at least this much time left: red where that is none."""
    late = data is not None and histogram_percentile(data, 1) < 0
    return Text(percentile(data, 1), style=BAD if late else "bold")


def _sizes(data: HistogramData | None) -> str:
    if data is None or not any(data.counts):
        return ABSENT
    middle, high, top = histogram_percentile(data, 50), histogram_percentile(data, 99), histogram_max(data)
    beyond = f">{count(data.edges[-1])}" if data.edges else ABSENT
    p50, p99, most = (count(value) if math.isfinite(value) else beyond for value in (middle, high, top))
    return f"p50 {p50}  p99 {p99}  max {most}"
