"""One run: the engine alone, Cellgate, and one peer after the other, on the same cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import zmq

from bench.options import PEERS_ENVIRONMENT
from bench.peers._catalogue import PEERS, Peer
from bench.peers._cellgate import cellgate_beside, engine_alone, measure_cellgate
from bench.peers._environment import TOLD, interpreter, own_python, peer_versions
from bench.peers._measure import Work, measure_peer
from bench.peers._verdict import verdict
from bench.subject import Options, Say, subject_of
from engines.bundle import Precision
from engines.errors import CellgateError, InputError

ENGINE = "openvino"
"""What everyone runs the graph with, Cellgate and peers."""
CHECKED = 16
"""Cells on which a peer's answers are compared with the engine's."""


def measure(
    options: Options, say: Say, *, only: Sequence[str] = (), environment: Path = PEERS_ENVIRONMENT
) -> dict[str, Any]:
    """Measure Cellgate beside its peers and return the figures as JSON-able values.

    Parameters
    ----------
    options
        Whatever engine they name, everyone runs the graph with OpenVINO, in int8 or else in FP32.
    only
        Names of peers; all of them if there is none.
    environment
        The peers' environment; a peer that is not there has a row that says so.

    Raises
    ------
    InputError
        A peer nobody knows, or what `subject_of` raises.
    """
    peers = chosen(only)
    precision: Precision = "int8" if options.precision == "int8" else "fp32"
    subject = subject_of(replace(options, engine=ENGINE, precision=precision))
    say("the engine alone")
    engine, limit, expected = engine_alone(subject, options.seconds, CHECKED)
    work = Work(subject, expected, options.seconds)
    say("Cellgate")
    cellgate = {**measure_cellgate(work), "engine_cells_per_s": round(limit, 1)}
    cellgate["streamed_over_engine"] = round(cellgate["cells_per_s"] / limit, 4)
    installed = _installed(environment)
    rows = [_row(peer, work, environment, installed, say) for peer in peers]
    return {
        **subject.about(),
        "engine": engine,
        "cellgate": cellgate,
        "peers": rows,
        "peer_versions": {name: installed.get(name, "not installed") for name in ("python", *TOLD)},
    }


def chosen(only: Sequence[str]) -> tuple[Peer, ...]:
    """Return these peers, or all; `InputError` for a name nobody knows."""
    names = {peer.name: peer for peer in PEERS}
    for name in only:
        if name not in names:
            raise InputError("bench peers", "--only", name, " or ".join(names))
    return tuple(peer for peer in PEERS if not only or peer.name in only)


def absent(peer: Peer, environment: Path, installed: Mapping[str, str]) -> str | None:
    """Return why a peer cannot be run, None if it can; `installed` is what `peer_versions` returns, or `error`."""
    if peer.package is None or peer.package in installed:
        return None
    missing = f"{peer.package} is not installed in {environment}; cellgate bench peers-env installs it"
    return installed.get("error", missing)


def _installed(environment: Path) -> dict[str, str]:
    try:
        return peer_versions(environment)
    except CellgateError as error:
        return {"error": str(error)}


def _row(peer: Peer, work: Work, environment: Path, installed: dict[str, str], say: Say) -> dict[str, Any]:
    reason = absent(peer, environment, installed)
    if reason is not None:
        about = {"name": peer.name, "title": peer.title, "documents": peer.documents}
        return {**about, "measured": False, "reason": reason}
    python = own_python() if peer.package is None else interpreter(environment)
    version = zmq.__version__ if peer.package is None else installed[peer.package]
    row = {**measure_peer(peer, work, python, say), "version": version}
    if not row["measured"]:
        return row
    half = row["latency"]["50%"]["rate"]
    say(f"Cellgate beside it, also at {half:,.0f} cells/s, half of what {peer.title} carries")
    beside = cellgate_beside(work, half)
    return {**row, "cellgate_beside": beside, **verdict(row, beside)}
