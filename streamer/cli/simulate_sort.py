"""`cellgate simulate-sort`: choose a window and a mode before spending cells."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from engines.errors import InputError
from streamer.cli._json import write_json
from streamer.decision.windows import AtTarget, Mode, SortRule, Target
from streamer.sortsim import (
    Figures,
    Setting,
    Sweep,
    draw_trade_off,
    parse_duration,
    parse_latency,
    parse_sweep,
    parse_window,
    read_confusion,
    require_plot,
    simulate,
)

SOURCE = "simulate-sort"
COLUMNS = ("purity", "yield", "recovery", "coincidence", "abort_rate", "sort_rate", "sorted_per_s")


class SweepReport(msgspec.Struct):
    """The figures over the values of what was varied; windows in microseconds."""

    sweep: str
    values: tuple[float, ...]
    points: list[Figures]


def simulate_sort_command(
    rate: Annotated[float, typer.Option(help="Cells per second.")] = 3300.0,
    wanted: Annotated[float, typer.Option(help="Fraction of cells that are wanted.")] = 0.07,
    window: Annotated[str, typer.Option(help="Whole span around a cell: 150us, 0.15ms, 3drops.")] = "150us",
    leading: Annotated[float, typer.Option(help="The leading part's share of the window.")] = 0.5,
    drop_frequency: Annotated[float | None, typer.Option(help="Drops per second, for a window in drops.")] = None,
    mode: Annotated[Mode, typer.Option(help="What may lie in the window of a sorted cell.")] = Mode.PURITY,
    cells: Annotated[int, typer.Option(help="How many cells.")] = 1_000_000,
    sensitivity: Annotated[float, typer.Option(help="Share of wanted cells called wanted.")] = 1.0,
    specificity: Annotated[float, typer.Option(help="Share of the others called unwanted.")] = 1.0,
    confusion: Annotated[Path | None, typer.Option(help="Both from this confusion matrix (JSON).")] = None,
    wanted_class: Annotated[
        list[str] | None, typer.Option(help="A wanted class of the matrix; may be repeated.")
    ] = None,
    latency: Annotated[str, typer.Option(help="1ms, lognormal:MEDIAN:P99, or a file of microseconds.")] = "1ms",
    sort_delay: Annotated[str | None, typer.Option(help="Trigger to actuation; without it nothing is late.")] = None,
    lead: Annotated[str, typer.Option(help="What the actuator needs before that.")] = "0us",
    margin: Annotated[str, typer.Option(help="How long before its deadline a decision must be made.")] = "100us",
    trigger_jitter: Annotated[str, typer.Option(help="Standard deviation of measured trigger times.")] = "0us",
    actuation_jitter: Annotated[str, typer.Option(help="Standard deviation of actuation times.")] = "0us",
    dead_time: Annotated[str, typer.Option(help="The actuator cannot act twice within less.")] = "0us",
    target: Annotated[int | None, typer.Option(help="Stop after sorting this many.")] = None,
    max_rate: Annotated[int | None, typer.Option(help="Sort at most this many in any second.")] = None,
    sweep: Annotated[str | None, typer.Option(help="window=50us:500us:10, rate=… or wanted=….")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    plot: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw the trade-off there.")] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here.")] = None,
) -> None:
    """Simulate a sort: stream, windows and actuation, decided on by the code that decides on real cells."""
    if confusion is not None:
        sensitivity, specificity = read_confusion(confusion, wanted_class or ())

    def rule(text: str) -> SortRule:
        return parse_window(text, mode, leading, drop_frequency, SOURCE)

    setting = Setting(
        rate=rate,
        wanted=wanted,
        rule=rule(window),
        cells=cells,
        sensitivity=sensitivity,
        specificity=specificity,
        latency=parse_latency(latency, SOURCE),
        sort_delay_ns=None if sort_delay is None else round(parse_duration(sort_delay, "--sort-delay", SOURCE)),
        lead_ns=round(parse_duration(lead, "--lead", SOURCE)),
        margin_ns=round(parse_duration(margin, "--margin", SOURCE)),
        trigger_jitter_ns=parse_duration(trigger_jitter, "--trigger-jitter", SOURCE),
        actuation_jitter_ns=parse_duration(actuation_jitter, "--actuation-jitter", SOURCE),
        target=Target(target, AtTarget.STOP, max_rate, round(parse_duration(dead_time, "--dead-time", SOURCE))),
        seed=seed,
    )
    setting.check(SOURCE)
    if plot is not None:
        require_plot()
        if sweep is None:
            raise InputError(SOURCE, "--sweep", "nothing", "what to draw the trade-off over, as in rate=500:10000:12")
    asked = Sweep("", (0.0,), (setting,)) if sweep is None else parse_sweep(sweep, setting, rule, SOURCE)
    points = _run(asked)
    if json is not None:
        write_json(json, points[0] if sweep is None else SweepReport(asked.name, asked.values, points))
    _print(asked, points)
    if plot is not None:
        for file in draw_trade_off(asked.name, asked.values, points, plot):
            typer.echo(f"drawn: {file}")


def _run(sweep: Sweep) -> list[Figures]:
    console = Console(stderr=True)
    bar = Progress(console=console, transient=True) if console.is_terminal else None
    with bar or nullcontext():
        points = []
        for value, setting in sweep:
            label = f"{sweep.name} {value:g}" if sweep.name else "simulating"
            task = None if bar is None else bar.add_task(label, total=setting.cells)

            def advance(done: int) -> None:
                if bar is not None and task is not None:  # noqa: B023 - called while this task is the current one
                    bar.update(task, completed=done)  # noqa: B023

            points.append(simulate(setting, advance))
    return points


def _print(sweep: Sweep, points: list[Figures]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in (sweep.name or "figure", *(COLUMNS if sweep.name else ("simulated", "± s.e.", "ideal sorter"))):
        table.add_column(heading, justify="left" if heading == "figure" else "right", no_wrap=True)
    if sweep.name:
        for value, point in zip(sweep.values, points, strict=True):
            table.add_row(f"{value:g}", *(_text(_value(point, name)) for name in COLUMNS))
    else:
        point = points[0]
        for name in COLUMNS:
            table.add_row(
                name, _text(_value(point, name)), _text(point.standard_errors[name]), _text(point.predicted[name])
            )
        for reason, share in point.aborts.items():
            if share:
                table.add_row(f"  {reason}", _text(share), "", "")
    console = Console()
    # A row is never cut: a terminal too narrow for it wraps it.
    Console(width=max(console.width, 120)).print(table)


def _value(point: Figures, name: str) -> float | None:
    value: float | None = getattr(point, "yield_" if name == "yield" else name)
    return value


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
