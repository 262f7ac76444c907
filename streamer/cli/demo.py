"""`cellgate demo`: the whole job once, live."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from engines.cells import HINT_HELP, parse_hints
from engines.errors import InputError
from streamer.cli._json import write_json


def demo_command(
    cells: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Recorded cells, or digital[:N]. Digital cells by default."),
    ] = None,
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
    bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The bundle. `digital`, or `jurkat` for recorded cells.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Cells per second. 1000, or 300 for recorded cells.")] = None,
    seconds: Annotated[float, typer.Option(help="How long cells come.")] = 20.0,
    arrivals: Annotated[Literal["poisson", "even"], typer.Option(help="When they come.")] = "poisson",
    per_message: Annotated[int, typer.Option(min=1, max=65536, help="Cells per message.")] = 1,
    sort_delay_us: Annotated[float, typer.Option(help="From trigger to actuation.")] = 50_000.0,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines of text instead of a dashboard.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where journal, report and logs go.")] = Path(
        "runs"
    ),
) -> None:
    """Run streamer, cytometer, sorter and observer together on this machine, watch them, and sum up."""
    from rich.console import Console

    from streamer.demo import Run, Show, choose_setting, run_demo

    for name, value in (("--rate", rate), ("--seconds", seconds), ("--sort-delay-us", sort_delay_us)):
        if value is not None and not 0 < value < 1e9:
            raise InputError("demo", name, value, "above 0")
    # A file or pipe has no width of its own; the summary's lines need about this much.
    show = Show(Console(highlight=False, width=None if sys.stdout.isatty() else 120), plain=plain)
    hints = parse_hints(hint)
    show.say("preparing cells …")
    setting = choose_setting(cells, bundle, rate, seed=0, hints=hints)
    if setting.left_out:
        show.say(
            f"{setting.left_out} cells were used to train the bundle and are left out; {len(setting.cells)} are not"
        )
    directory = out / time.strftime("demo-%Y%m%d-%H%M%S")
    figures = run_demo(setting, Run(seconds, sort_delay_us, arrivals, per_message), directory, show)
    show.summary(figures)
    if json is not None:
        write_json(json, figures)
