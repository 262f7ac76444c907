"""More cells than can be decided: the rate is swept through the knee, and what counts is decisions in time.

Beside the streamer stand the loops people write by hand, on the same engine, fed the same plans in the same run.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from bench.flow import Flow
from bench.live import Bare, Load, Outcome, Streaming, Target, play
from bench.live.policy import Setup
from bench.plots import draw as draw_plot
from bench.sort_delay import sort_delay_for
from bench.subject import Options, Say, Subject, subject_of
from bench.tables import make_table

SHARES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0)
"""Of the most cells per second that the streamer decides, measured at the start."""
POLICIES = {"fixed batch": (16, 5.0), "one by one": (1, 0.0)}
"""Batch and the most milliseconds it waits for; none of them sheds."""
STREAMER = "streamer"
BEYOND = 1.5


@dataclass(frozen=True)
class Point:
    """One rate of the sweep, and what became of the same plan at each server."""

    share: float
    rate: float
    outcomes: dict[str, Outcome]

    def goodput(self, name: str) -> float:
        """Return decisions in time per second of the plan."""
        outcome = self.outcomes[name]
        return float(outcome.in_time.sum()) / max(outcome.span_s(), 1e-9)

    def figures(self) -> dict[str, object]:
        """Return them as JSON-able values."""
        servers = {
            name: {"goodput_per_s": round(self.goodput(name), 1), **outcome.figures()}
            for name, outcome in self.outcomes.items()
        }
        return {"share": self.share, "rate": round(self.rate, 1), "servers": servers}


def measure(
    options: Options,
    say: Say,
    *,
    shares: tuple[float, ...] = SHARES,
    sort_delay_us: float | None = None,
    policies: bool = True,
) -> dict[str, object]:
    """Return goodput over rate for the streamer and for each hand-written policy.

    `goodput_at_150_over_best` is the streamer's at one and a half times its maximum over the most it had at any rate.
    """
    subject = subject_of(options)
    with tempfile.TemporaryDirectory(prefix="cg-") as scratch, ExitStack() as stack:
        say(f"starting {subject.bundle.manifest.name} in {subject.how.precision}")
        streamer = stack.enter_context(Streaming(subject.bundle, subject.how))
        say("the maximum")
        maximum = _maximum(streamer, subject, options.seconds)
        delay_us = sort_delay_us or sort_delay_for(subject.how.top, maximum)
        targets = {STREAMER: streamer.target(delay_us)}
        if policies:
            targets |= _policies(stack, subject, Path(scratch), delay_us)
        points = []
        for place, share in enumerate(shares):
            rate = share * maximum
            load = Load(max(32, int(rate * options.seconds)), rate, seed=options.seed + place)
            outcomes = {}
            for name, target in targets.items():
                say(f"{share:.0%} of the maximum, {rate:,.0f} cells/s: {name}")
                outcomes[name] = play(target, subject.frames, load)
            points.append(Point(share, rate, outcomes))
    best = max(point.goodput(STREAMER) for point in points)
    beyond = [point.goodput(STREAMER) for point in points if point.share == BEYOND]
    return {
        **subject.about(),
        "maximum_cells_per_s": round(maximum, 1),
        "sort_delay_us": round(delay_us, 1),
        "policies": {name: {"batch": batch, "wait_ms": wait} for name, (batch, wait) in POLICIES.items()},
        "best_goodput_per_s": round(best, 1),
        "goodput_at_150_over_best": round(beyond[0] / best, 4) if beyond and best else None,
        "missing": sum(point.outcomes[STREAMER].missing for point in points),
        "kept_late": sum(point.outcomes[STREAMER].kept_late for point in points),
        "account_errors": [error for point in points for error in point.outcomes[STREAMER].errors()],
        "sweep": [point.figures() for point in points],
    }


def _maximum(streamer: Streaming, subject: Subject, seconds: float) -> float:
    """Return the most one-cell messages per second: two turns, the first to learn how many cells the second takes."""
    flow = Flow(1, subject.frames)
    for rate in (200.0, 0.0):
        flow.turn(streamer, subject.how.top, rate or flow.rates[-1], min(seconds, 2.0))
    return flow.rates[-1]


def _policies(stack: ExitStack, subject: Subject, directory: Path, delay_us: float) -> dict[str, Target]:
    how = subject.how
    setup = Setup(str(subject.bundle.path.resolve()), how.engine, how.precision, how.threads, how.ladder)
    file = directory / "setup.json"
    file.write_bytes(msgspec.json.encode(setup))
    found = {}
    for name, (batch, wait_ms) in POLICIES.items():
        arguments = (str(batch), str(wait_ms), str(file))
        server = stack.enter_context(Bare("bench.live.policy", subject.bundle, arguments=arguments))
        found[name] = server.target(delay_us)
    return found


def tables(figures: dict[str, Any]) -> list[Table]:
    """Return goodput over rate, one column for each server."""
    names = list(figures["sweep"][0]["servers"])
    rows = [
        [f"{row['share']:.0%}", row["rate"], *(row["servers"][name]["goodput_per_s"] for name in names)]
        for row in figures["sweep"]
    ]
    delay_ms = figures["sort_delay_us"] / 1000
    title = f"Decisions in time per second, sort delay {delay_ms:.3g} ms: {figures['bundle']}, {figures['precision']}"
    return [make_table(title, ("of the maximum", "cells/s", *names), rows)]


def draw(figures: dict[str, Any], directory: Path) -> list[Path]:
    """Draw goodput over rate."""
    rates = [row["rate"] for row in figures["sweep"]]

    def paint(axes: Any) -> None:
        for name in figures["sweep"][0]["servers"]:
            goodput = [row["servers"][name]["goodput_per_s"] for row in figures["sweep"]]
            axes.plot(rates, goodput, marker="o", label=name)
        axes.axvline(figures["maximum_cells_per_s"], color="C7", linewidth=1, linestyle="--")
        axes.set(xlabel="cells sent per second", ylabel="decisions in time per second", ylim=(0, None))
        axes.set(title=f"{figures['bundle']}, sort delay {figures['sort_delay_us'] / 1000:.3g} ms; dashed: the maximum")
        axes.grid(alpha=0.25)
        axes.legend()

    return draw_plot("saturation", directory, paint)
