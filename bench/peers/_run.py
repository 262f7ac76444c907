"""One run: the engine alone, Cellgate, and one peer after the other, on the same cells."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.live import frames_for
from bench.machine import machine, versions
from bench.peers._catalogue import PEERS, Peer
from bench.peers._cellgate import cellgate_at, engine_alone, measure_cellgate
from bench.peers._environment import TOLD, interpreter, own_python, peer_versions
from bench.peers._measure import Say, Work, measure_peer
from bench.peers._verdict import verdict
from engines.backends import threads_for
from engines.bundle import Bundle, Precision
from engines.errors import CellgateError, InputError

CHECKED = 16
"""Cells on which a peer's answers are compared with the engine's."""


def run_peers(
    bundle: Bundle,
    *,
    only: Sequence[str] = (),
    seconds: float = 5.0,
    environment: Path,
    precision: Precision = "fp32",
    threads: int = 0,
    say: Say = print,
) -> dict[str, Any]:
    """Measure Cellgate beside its peers and return the result as JSON-able values.

    Parameters
    ----------
    only
        Names of peers; all of them if there is none.
    seconds
        Per measurement.
    environment
        The peers' environment.
    precision, threads
        Of everyone's network, as for `open_engine`.
    say
        Called with a line for each step.

    Raises
    ------
    InputError
        A peer nobody knows, or seconds that are not positive.
    """
    peers = chosen(only)
    if not 0 < seconds < float("inf"):
        raise InputError("bench peers", "seconds", seconds, "above 0")
    threads = threads_for("latency", threads)
    began = time.time()
    frames = frames_for(bundle)
    say("the engine alone …")
    engine, limit, expected = engine_alone(
        bundle, frames, threads=threads, precision=precision, seconds=seconds, check=CHECKED
    )
    work = Work(bundle, frames, expected, precision, threads, seconds)
    say("Cellgate …")
    cellgate = {**measure_cellgate(work), "engine_cells_per_s": round(limit, 1)}
    cellgate["streamed_over_engine"] = round(cellgate["cells_per_s"] / limit, 3)
    installed = _installed(environment)
    rows = [_row(peer, work, environment, installed, cellgate, say) for peer in peers]
    return {
        "bench": "peers",
        "date": time.strftime("%Y-%m-%d"),
        "run_s": round(time.time() - began, 1),
        "bundle": bundle.manifest.name,
        "bundle_sha256": bundle.sha256,
        "frame_shape": bundle.frame_shape,
        "engine": engine,
        "precision": precision,
        "threads": threads,
        "seconds": seconds,
        "cellgate": cellgate,
        "peers": rows,
        "machine": machine(),
        "versions": versions("cellgate", "msgspec", "numpy", "openvino", "pyzmq"),
        "peer_versions": {name: installed.get(name, "not installed") for name in ("python", *TOLD)},
    }


def chosen(only: Sequence[str]) -> tuple[Peer, ...]:
    """Return these peers, or all; `InputError` for a name nobody knows."""
    names = {peer.name: peer for peer in PEERS}
    for name in only:
        if name not in names:
            raise InputError("bench peers", "--only", name, " or ".join(names))
    return tuple(peer for peer in PEERS if not only or peer.name in only)


def _installed(environment: Path) -> dict[str, str]:
    try:
        return peer_versions(environment)
    except CellgateError as error:
        return {"error": str(error)}


def _row(
    peer: Peer, work: Work, environment: Path, installed: dict[str, str], cellgate: dict[str, Any], say: Say
) -> dict[str, Any]:
    about = {"name": peer.name, "title": peer.title, "documents": peer.documents, "measured": False}
    if peer.package is not None and peer.package not in installed:
        missing = f"{peer.package} is not installed in {environment}: cellgate bench peers-env installs it"
        return {**about, "reason": installed.get("error", missing)}
    python = own_python() if peer.package is None else interpreter(environment)
    row = measure_peer(peer, work, python, say)
    if not row["measured"]:
        return row
    half = row["latency"]["50%"]
    say(f"Cellgate at {half['rate']:,.0f} cells/s, half of what {peer.title} carries …")
    beside = cellgate_at(work, half["rate"])
    return {**row, "cellgate_at_its_half": beside, **verdict(row, cellgate, beside)}
