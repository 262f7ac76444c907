"""The demo: the main job once, with every process that takes part in it."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from engines.cells import Cells
from engines.errors import CellgateError
from streamer.demo._children import Child
from streamer.demo._score import score_run
from streamer.demo._setting import Setting, gates_for
from streamer.demo._sorter import Sorter
from streamer.demo._view import Show
from streamer.simulator import Arrivals, Plan, SendReport, make_plan, percentiles

SEED = 0


@dataclass(frozen=True)
class Run:
    """How long, how fast and how fussy."""

    seconds: float
    sort_delay_us: float
    arrivals: Arrivals = "poisson"
    per_message: int = 1


def run_demo(setting: Setting, run: Run, directory: Path, show: Show) -> dict[str, object]:
    """Play the cells to a streamer, watch, and return the figures; everything it leaves is in `directory`.

    Raises
    ------
    CellgateError
        One of the processes failed; the text is the last thing it said.
    """
    directory.mkdir(parents=True, exist_ok=True)
    plan = make_plan(len(setting.cells), rate=setting.rate, seconds=run.seconds, arrivals=run.arrivals, seed=SEED)
    series = directory.name
    # Sockets lie in a short path of their own: an ipc path may not be longer than about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="cellgate-") as scratch, ExitStack() as stack:
        sockets = Path(scratch)
        config = _write_config(setting, run, directory, sockets)
        cells_file = _write_cells(setting.cells, sockets / "cells.npz")
        show.say("starting the streamer, which compiles and warms the engine …")
        streamer = stack.enter_context(Child("streamer", ["run", "--config", str(config)], directory))
        ready = streamer.wait_for("ready: ")
        engine = ready.removeprefix("ready: ").split(", bundle")[0]
        telemetry = f"ipc://{sockets}/telemetry"
        observer = stack.enter_context(
            Child("observer", ["observe", "--from", telemetry, "--http", "127.0.0.1:0"], directory)
        )
        sorter = stack.enter_context(Sorter(f"ipc://{sockets}/decisions"))
        show.say(f"engine {engine}; {len(plan)} cells in {run.seconds:g} s at {setting.rate:g}/s")
        report = directory / "sender.json"
        cytometer = stack.enter_context(
            Child("cytometer", _send_arguments(setting, run, sockets, cells_file, series, report), directory)
        )
        show.watch(telemetry, observer, lambda: cytometer.running and streamer.running)
        if not streamer.running:
            raise streamer.failure()
        while cytometer.running:
            time.sleep(0.05)
        if cytometer.code != 0:
            raise cytometer.failure()
        sent = msgspec.json.decode(report.read_bytes(), type=SendReport)
        _await_totals(sorter)
        streamer.stop()
        if streamer.code != 0:
            raise streamer.failure()
    return {
        **_figures(setting, plan, sent, sorter, directory / f"{series}.journal"),
        "engine": engine,
        "seconds": run.seconds,
        "rate": setting.rate,
        "arrivals": run.arrivals,
        "cells_per_message": run.per_message,
        "sort_delay_us": run.sort_delay_us,
        "journal_file": str(directory / f"{series}.journal"),
    }


def _figures(setting: Setting, plan: Plan, sent: SendReport, sorter: Sorter, journal: Path) -> dict[str, object]:
    figures = score_run(journal, setting.cells, plan, sent)
    return {
        **figures,
        "decision_received_us": percentiles(sorter.latencies_us()),
        "decisions_received": sorter.received,
        "decision_messages_missed": sorter.missed,
        "kept_received_late": sorter.kept_late,
        "sender_lateness_us": sent.lateness_us,
        "bundle": setting.bundle.manifest.name,
        "bundle_sha256": setting.bundle.sha256,
        "cells": setting.cells.name.rpartition("/")[2],
        "distinct_cells": len(setting.cells),
        "left_out_as_trained_on": setting.left_out,
    }


def _write_config(setting: Setting, run: Run, directory: Path, sockets: Path) -> Path:
    gates = "".join(_gate_toml(gate) for gate in gates_for(setting.bundle.classes))
    path = directory / "config.toml"
    path.write_text(
        f"""[streamer]
bundle = {_quoted(str(setting.bundle.path.resolve()))}
cells = "ipc://{sockets}/cells"
decisions = "ipc://{sockets}/decisions"
telemetry = "ipc://{sockets}/telemetry"
control = "ipc://{sockets}/control"
journal = "."

[timing]
sort_delay_us = {run.sort_delay_us}
actuation_lead_us = 1000.0
{gates}"""
    )
    return path


def _gate_toml(gate: dict[str, object]) -> str:
    where = gate["where"]
    assert isinstance(where, dict)  # noqa: S101 - made by gates_for
    bounds = ", ".join(f"{_quoted(key)} = {{ min = {bound['min']} }}" for key, bound in where.items())
    name, way = _quoted(str(gate["name"])), _quoted(str(gate["way"]))
    return f"\n[[gate]]\nname = {name}\nway = {way}\nwhere = {{ {bounds} }}\n"


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string.
    return msgspec.json.encode(text).decode()


def _write_cells(cells: Cells, path: Path) -> Path:
    np.savez(path, frames=cells.frames, channels=np.array(cells.channels))
    return path


def _send_arguments(setting: Setting, run: Run, sockets: Path, cells: Path, series: str, report: Path) -> list[str]:
    return [
        "send",
        str(cells),
        *("--to", f"ipc://{sockets}/cells"),
        *("--rate", str(setting.rate)),
        *("--seconds", str(run.seconds)),
        *("--arrivals", run.arrivals),
        *("--per-message", str(run.per_message)),
        *("--seed", str(SEED)),
        *("--series", series),
        *("--json", str(report)),
    ]


def _await_totals(sorter: Sorter, timeout_s: float = 5.0) -> None:
    until = time.monotonic() + timeout_s
    while sorter.totals is None:
        if time.monotonic() > until:
            raise CellgateError(f"the sorter did not get the totals of the series within {timeout_s:g} s")
        time.sleep(0.02)
