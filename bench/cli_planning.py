"""`cellgate bench limit | scale | plan`: what a machine does at best, what each part costs, and what that allows."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.options import (
    BundleOption,
    EngineOption,
    JsonOption,
    NetworkOption,
    PrecisionOption,
    SecondsOption,
    ThreadsOption,
)

# What measures is imported in the commands: `cellgate --help` loads this module and must stay quick.


def limit_command(
    engine: EngineOption = "auto",
    bundle: BundleOption = None,
    network: NetworkOption = None,
    precision: PrecisionOption = "fp32",
    threads: ThreadsOption = 0,
    seconds: SecondsOption = 5.0,
    tiny: Annotated[bool, typer.Option("--tiny", help="Small sizes: shows that it runs, measures nothing.")] = False,
    json: JsonOption = None,
) -> None:
    """Measure what arithmetic and memory do at best, matrix products and copies, and the engine's share of it."""
    from bench.subject import Options
    from bench.suite import measure_of, run

    options = Options(engine, bundle, network, precision, threads, seconds=seconds)
    run("limit", partial(measure_of("limit"), options, tiny=tiny), seconds=seconds, json=json, plot=None)


def scale_command(
    engine: EngineOption = "auto",
    networks: Annotated[
        str, typer.Option("--network", metavar="NAME,NAME,…", help="Networks with fresh weights, or none.")
    ] = "deepflow,student-micro",
    precisions: Annotated[str, typer.Option("--precision", metavar="fp32,int8", help="One of them or both.")] = (
        "fp32,int8"
    ),
    threads: ThreadsOption = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Few points: shows that it runs, foretells badly.")] = False,
    seconds: Annotated[float, typer.Option(help="Five times what each of fifty measurements takes.")] = 5.0,
    json: JsonOption = None,
) -> None:
    """Measure what a cell costs by channels, frame size, classes, messages and rate, and fit what each is paid for.

    The file that --json names is what `cellgate bench plan --fit` reads.
    """
    from bench.subject import Options
    from bench.suite import measure_of, run

    options = Options(engine, threads=threads, seconds=seconds)
    more = {"networks": _words(networks), "precisions": _words(precisions), "quick": quick}
    run("scale", partial(measure_of("scale"), options, **more), seconds=seconds, json=json, plot=None)


def plan_command(
    rate: Annotated[float, typer.Option(help="Cells per second, on average.")],
    channels: Annotated[int | None, typer.Option(help="Channels of a cell; by default the bundle's.")] = None,
    size: Annotated[
        str | None, typer.Option(metavar="SIDE", help="Pixels: 128, or 96x128 for height and width; the bundle's.")
    ] = None,
    classes: Annotated[int, typer.Option(help="Classes the network tells apart.")] = 5,
    per_message: Annotated[int, typer.Option(metavar="N", help="Cells in a message.")] = 1,
    engine: EngineOption = "auto",
    bundle: BundleOption = None,
    network: Annotated[
        str | None, typer.Option(metavar="NAME", help="A network (docs/networks.md); by default deepflow.")
    ] = None,
    precision: Annotated[Literal["fp32", "int8"], typer.Option(help="The arithmetic.")] = "fp32",
    threads: ThreadsOption = 0,
    fit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="From `cellgate bench scale --json`: nothing is measured.")
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Count with so many; by default as measured.")] = None,
    link_gbit: Annotated[float | None, typer.Option(help="Of a network the cells come over, Gbit/s.")] = None,
    sender_here: Annotated[
        bool, typer.Option("--sender-here", help="What sends the cells runs on the same machine.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Play the camera to a streamer here, and compare.")] = False,
    seconds: SecondsOption = 1.0,
    json: JsonOption = None,
) -> None:
    """Foretell the most cells per second for a camera, what binds, and what to change.

    Without --fit, streamer and engine are measured here first, which takes about half a minute.
    """
    from bench.plan import Asked, measure, parse_size
    from bench.subject import Options
    from bench.suite import run

    options = Options(engine, bundle, network, precision, threads, seconds=seconds)
    sides = None if size is None else parse_size(size)
    asked = Asked(rate, channels, sides, classes, per_message, fit, cores, link_gbit, sender_here, check)
    run("plan", partial(measure, options, asked=asked), seconds=seconds, json=json, plot=None)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip() not in ("", "none"))
