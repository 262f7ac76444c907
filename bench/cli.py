"""`cellgate bench`: what Cellgate can do on this machine, beside the machine's own limits and what others do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bench.cli_planning import limit_command, plan_command, scale_command
from bench.options import (
    DEFAULT_LADDER,
    PEERS_ENVIRONMENT,
    BundleOption,
    EngineOption,
    JsonOption,
    LadderOption,
    NetworkOption,
    PlotOption,
    PrecisionOption,
    SecondsOption,
    SeedOption,
    SortDelayOption,
    ThreadsOption,
    numbers,
    whole_numbers,
)
from engines.errors import InputError

if TYPE_CHECKING:
    from bench.subject import Options

app = typer.Typer(
    name="bench",
    help="Measure throughput, latency and overhead on this machine, beside its limits and beside other servers.",
    no_args_is_help=True,
)


@app.command("throughput")
def throughput_command(
    engine: EngineOption = "auto",
    bundle: BundleOption = None,
    network: NetworkOption = None,
    precision: PrecisionOption = "fp32",
    threads: ThreadsOption = 0,
    ladder: LadderOption = DEFAULT_LADDER,
    messages: Annotated[str, typer.Option(metavar="N,N,…", help="Cells per message.")] = "1,16,64",
    senders: Annotated[int, typer.Option(min=1, max=16, help="Sender processes.")] = 1,
    seconds: SecondsOption = 5.0,
    seed: SeedOption = 0,
    json: JsonOption = None,
    plot: PlotOption = None,
) -> None:
    """Measure cells per second: the engine alone, and the whole streamer around it, in turns."""
    options = _options(engine, bundle, network, precision, threads, ladder, seconds, seed)
    _run("throughput", options, json, plot, messages=whole_numbers(messages, "--messages"), senders=senders)


@app.command("latency")
def latency_command(
    engine: EngineOption = "auto",
    bundle: BundleOption = None,
    network: NetworkOption = None,
    precision: PrecisionOption = "fp32",
    threads: ThreadsOption = 0,
    ladder: LadderOption = DEFAULT_LADDER,
    rates: Annotated[
        str | None, typer.Option(metavar="N,N,…", help="Cells per second; by default 25, 50 and 75 % of the engine's.")
    ] = None,
    transport: Annotated[Literal["ipc", "tcp", "both"], typer.Option(help="Between the processes.")] = "both",
    per_message: Annotated[int, typer.Option(min=1, max=4096, help="Cells per message.")] = 1,
    sort_delay_us: Annotated[float, typer.Option(min=0.0, help="Trigger to actuation; later is a miss.")] = 20_000.0,
    spin: Annotated[bool, typer.Option("--spin", help="Have the streamer's loop never sleep (streamer.spin).")] = False,
    seconds: SecondsOption = 10.0,
    seed: SeedOption = 0,
    json: JsonOption = None,
    plot: PlotOption = None,
) -> None:
    """Measure the time from planned sending to decision at Poisson arrivals: percentiles, misses, part by part."""
    options = _options(engine, bundle, network, precision, threads, ladder, seconds, seed)
    chosen = () if rates is None else numbers(rates, "--rates")
    transports = ("ipc", "tcp") if transport == "both" else (transport,)
    more = {"rates": chosen, "transports": transports, "per_message": per_message, "sort_delay_us": sort_delay_us}
    _run("latency", options, json, plot, **more, spin=spin)


@app.command("overhead")
def overhead_command(
    bundle: BundleOption = None,
    network: NetworkOption = None,
    rate: Annotated[float, typer.Option(min=1.0, help="One-cell messages per second.")] = 1000.0,
    transport: Annotated[Literal["ipc", "tcp", "both"], typer.Option(help="Between the processes.")] = "ipc",
    seconds: SecondsOption = 10.0,
    seed: SeedOption = 0,
    json: JsonOption = None,
    plot: PlotOption = None,
) -> None:
    """Measure what the streamer itself costs: an engine that answers at once, beside a bare ZeroMQ echo in one run.

    Of a bundle or network only the size of its frames is taken.
    """
    options = _options("auto", bundle, network, "fp32", 0, DEFAULT_LADDER, seconds, seed)
    transports = ("ipc", "tcp") if transport == "both" else (transport,)
    _run("overhead", options, json, plot, rate=rate, transports=transports)


@app.command("saturation")
def saturation_command(
    engine: EngineOption = "auto",
    bundle: BundleOption = None,
    network: NetworkOption = None,
    precision: PrecisionOption = "fp32",
    threads: ThreadsOption = 0,
    ladder: LadderOption = DEFAULT_LADDER,
    shares: Annotated[
        str, typer.Option(metavar="N,N,…", help="Rates, in shares of the maximum that is measured first.")
    ] = "0.25,0.5,0.75,0.9,1,1.25,1.5,2",
    sort_delay_us: SortDelayOption = None,
    policies: Annotated[bool, typer.Option(help="Measure the loops people write by hand as well.")] = True,
    seconds: SecondsOption = 5.0,
    seed: SeedOption = 0,
    json: JsonOption = None,
    plot: PlotOption = None,
) -> None:
    """Count decisions in time while the rate goes up to twice the maximum, beside loops written by hand."""
    options = _options(engine, bundle, network, precision, threads, ladder, seconds, seed)
    more = {"shares": numbers(shares, "--shares"), "sort_delay_us": sort_delay_us, "policies": policies}
    _run("saturation", options, json, plot, **more)


@app.command("soak")
def soak_command(
    engine: EngineOption = "auto",
    bundle: BundleOption = None,
    network: NetworkOption = None,
    precision: PrecisionOption = "fp32",
    threads: ThreadsOption = 0,
    ladder: LadderOption = DEFAULT_LADDER,
    minutes: Annotated[float, typer.Option(min=0.05, max=2880.0, help="How long.")] = 30.0,
    load: Annotated[float, typer.Option(min=0.01, max=1.0, help="Share of the most that is measured first.")] = 0.7,
    sort_delay_us: SortDelayOption = None,
    seed: SeedOption = 0,
    json: JsonOption = None,
    plot: PlotOption = None,
) -> None:
    """Load the streamer for half an hour: whether memory stays what it is and latency does."""
    options = _options(engine, bundle, network, precision, threads, ladder, 60.0, seed)
    _run("soak", options, json, plot, minutes=minutes, load=load, sort_delay_us=sort_delay_us)


@app.command("peers")
def peers_command(
    bundle: BundleOption = None,
    network: NetworkOption = None,
    precision: Annotated[Literal["fp32", "int8"], typer.Option(help="The arithmetic.")] = "fp32",
    threads: ThreadsOption = 0,
    ladder: LadderOption = DEFAULT_LADDER,
    only: Annotated[
        str | None, typer.Option(metavar="NAME,NAME,…", help="Of rep, litserve, pytriton, ray; by default all.")
    ] = None,
    peers: Annotated[Path, typer.Option(metavar="DIR", help="Where they are installed.")] = PEERS_ENVIRONMENT,
    seconds: SecondsOption = 5.0,
    seed: SeedOption = 0,
    json: JsonOption = None,
    plot: PlotOption = None,
) -> None:
    """Beside LitServe, PyTriton, Ray Serve and a ZeroMQ REQ/REP loop: the same graph, cells, machine and client.

    Each takes the best of several batch settings; latencies are at 25, 50 and 75 % of what each can carry. The network
    runs with OpenVINO everywhere. `cellgate bench peers-env` installs the peers.
    """
    options = _options("openvino", bundle, network, precision, threads, ladder, seconds, seed)
    _run("peers", options, json, plot, only=() if only is None else tuple(only.split(",")), environment=peers)


@app.command("peers-env")
def peers_env_command(
    environment: Annotated[Path, typer.Argument(metavar="DIR", help="Where to.")] = PEERS_ENVIRONMENT,
) -> None:
    """Install the servers `peers` measures into an environment of their own, at the versions Cellgate states."""
    from bench.peers import make_environment, peer_versions

    typer.echo(f"installing into {environment}, 900 MB …")
    make_environment(environment)
    versions = peer_versions(environment)
    typer.echo(", ".join(f"{name} {versions[name]}" for name in ("litserve", "nvidia-pytriton", "ray", "openvino")))


@app.command("all")
def all_command(
    engine: EngineOption = "auto",
    bundle: BundleOption = None,
    network: NetworkOption = None,
    precision: PrecisionOption = "fp32",
    threads: ThreadsOption = 0,
    ladder: LadderOption = DEFAULT_LADDER,
    only: Annotated[
        str | None, typer.Option(metavar="NAME,NAME,…", help="Only these benches, by default every one.")
    ] = None,
    seconds: SecondsOption = 5.0,
    seed: SeedOption = 0,
    json: JsonOption = None,
    plot: PlotOption = None,
) -> None:
    """Run every bench with its defaults, one after the other, into one result file."""
    from functools import partial

    from bench.suite import BENCHES, measure_of, run_all

    options = _options(engine, bundle, network, precision, threads, ladder, seconds, seed)
    names = tuple(BENCHES) if only is None else tuple(only.split(","))
    for name in names:
        if name not in BENCHES:
            raise InputError("bench", "--only", name, " or ".join(BENCHES))
    run_all({name: partial(measure_of(name), options) for name in names}, seconds=seconds, json=json, plot=plot)


@app.command("compare")
def compare_command(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="A result file.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="A later one.")],
    tolerance: Annotated[float, typer.Option(min=0.0, max=0.99, help="What may be lost, as a share.")] = 0.1,
) -> None:
    """Compare two result files by ratio; exit code 1, and the figures that got worse, where any did."""
    from rich.console import Console
    from rich.table import Table

    from bench.compare import compare_files

    lines = compare_files(old, new)
    worse = [line for line in lines if line.worse(tolerance)]
    if not worse:
        typer.echo(f"{len(lines)} figures compared, none worse by more than {tolerance:.0%}")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("worse", "old", "new", "ratio"):
        table.add_column(heading, justify="left" if heading == "worse" else "right")
    for line in sorted(worse, key=lambda line: line.ratio):
        table.add_row(line.figure, f"{line.old:.5g}", f"{line.new:.5g}", f"{line.ratio:.3f}")
    console = Console()
    Console(width=max(console.width, 120)).print(table)
    typer.echo(f"{len(worse)} of {len(lines)} figures are worse by more than {tolerance:.0%}")
    raise typer.Exit(1)


def _options(
    engine: str,
    bundle: str | None,
    network: str | None,
    precision: Literal["fp32", "fp16", "int8"],
    threads: int,
    ladder: str,
    seconds: float,
    seed: int,
) -> Options:
    from bench.subject import Options

    return Options(
        engine,
        bundle,
        network,
        precision,
        threads,
        tuple(sorted(set(whole_numbers(ladder, "--ladder")))),
        seconds,
        seed,
    )


def _run(name: str, options: Options, json: Path | None, plot: Path | None, **more: Any) -> None:
    # Imported here, as all that measures: `cellgate --help` loads every command's module and must stay quick.
    from functools import partial

    from bench.suite import measure_of, run

    run(name, partial(measure_of(name), options, **more), seconds=options.seconds, json=json, plot=plot)


app.command("limit")(limit_command)
app.command("scale")(scale_command)
app.command("plan")(plan_command)
