"""`cellgate doctor`: check this machine, and say what to install if an engine does not work."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import zmq
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engines.bundle import load_bundle, pretrained
from engines.doctor import EngineCheck, Fact, check_engines, libraries, machine, nvidia

_STYLES = {"ok": "green", "note": "yellow", "bad": "red"}


class Examination(msgspec.Struct, frozen=True):
    """All that was found; `works` if at least one engine does."""

    works: bool
    machine: list[Fact]
    libraries: list[Fact]
    engines: list[EngineCheck]
    bundle: str
    bundle_sha256: str


def doctor_command(
    bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Try the engines on this bundle; default: `digital`.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="What was found as JSON.")] = False,
) -> None:
    """Check this machine: processor, GPUs, libraries, and whether each engine works; exit code 1 if none does.

    Each engine runs in a process of its own and is compared with OpenVINO in FP32. Times are those of this moment.
    """
    checked = load_bundle(pretrained("digital") if bundle is None else bundle)
    facts = [*machine(), *nvidia(), *_transport()]
    console = Console(stderr=True)
    with console.status("engines…") as status:
        engines = list(
            check_engines(
                checked.path, progressed=lambda name: status.update(Text(f"engine {name}: load, compile, compare…"))
            )
        )
    works = any(engine.works for engine in engines)
    result = Examination(works, facts, libraries(), engines, checked.manifest.name, checked.sha256)
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode(result), indent=2))
    else:
        _show(result)
    if not works:
        raise typer.Exit(1)


def _transport() -> list[Fact]:
    curve = bool(zmq.has("curve"))
    remedy = None if curve else "install pyzmq from its wheels, or libzmq with libsodium"
    facts = [
        Fact("ZeroMQ", zmq.zmq_version()),
        Fact("CURVE keys", "available" if curve else "not available", "ok" if curve else "note", remedy),
    ]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="cg-") as directory,
            zmq.Context() as context,
            context.socket(zmq.PULL) as socket,
        ):
            socket.linger = 0
            socket.bind(f"ipc://{directory}/doctor")
    except (OSError, zmq.ZMQError) as error:
        where = "ipc endpoints need a directory to write to, and at most 107 bytes of path: set TMPDIR, or use tcp"
        return [*facts, Fact("ipc", f"{tempfile.gettempdir()}: {error}", "note", where)]
    return [*facts, Fact("ipc", f"works in {tempfile.gettempdir()}")]


def _show(result: Examination) -> None:
    console = Console()
    for title, facts in (("machine", result.machine), ("libraries", result.libraries)):
        table = Table("", "", "what to do", title=title, title_justify="left", box=None)
        for fact in facts:
            table.add_row(Text(fact.name), Text(fact.found, _STYLES[fact.state]), Text(fact.remedy or ""))
        console.print(table, "")
    table = Table("engine", "", "one cell", "best batch", "what to do", box=None, title_justify="left")
    table.title = Text(f"engines, on bundle {result.bundle}", "table.title")
    for engine in result.engines:
        one = "" if engine.one_cell_us is None else f"{engine.one_cell_us:,.0f} µs"
        best = "" if engine.best_batch is None else f"{engine.best_batch}: {engine.cells_per_s or 0:,.0f} cells/s"
        found = Text(engine.found, "green" if engine.works else "yellow")
        table.add_row(Text(engine.name), found, one, best, Text(engine.remedy or ""))
    console.print(table, "")
    working = [engine.name for engine in result.engines if engine.works]
    console.print(f"{', '.join(working)} can run" if working else "no engine works", soft_wrap=True, markup=False)
