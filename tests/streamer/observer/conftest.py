"""Snapshots as a running streamer would publish them, and a publisher for them."""

from __future__ import annotations

import copy

import msgspec
import pytest
import zmq

from streamer.vocabulary import Account
from streamer.wire import HistogramData, JournalHealth, Snapshot

START_NS = 1_790_000_000_000_000_000
LATENCY_EDGES = (2e-4, 3e-4, 5e-4, 7e-4, 1e-3, 2e-3, 5e-3)


def _account(cells: int) -> Account:
    """An account that adds up, of a series that has sent so many cells."""
    missing, pending = cells // 4000, min(cells, 24)
    decided = cells - missing - pending
    not_kept = {"not_in_gate": decided * 9 // 10, "uncertain": decided // 50, "late": decided // 1000}
    return Account(
        sent=cells,
        received=cells - missing,
        pending=pending,
        decided=decided,
        kept=decided - sum(not_kept.values()),
        not_kept=not_kept,
        duplicates=cells // 9000,
        disordered=3,
        messages=cells // 16,
        rejected={"malformed": 2, "checksum": 1},
        undelivered=1,
    )


def _histogram(edges: tuple[float, ...], weights: tuple[int, ...], cells: int) -> HistogramData:
    counts = tuple(cells * weight // sum(weights) for weight in weights)
    return HistogramData(edges, counts, 4.25e-4 * sum(counts))


@pytest.fixture
def make_snapshot():
    """A function that builds the snapshot of a streamer `seconds` after its start; keywords replace fields."""

    def make(seconds: float = 200.0, **changes: object) -> Snapshot:
        cells = int(seconds * 12_000)
        account = _account(cells)
        mix = {"lymphocyte": cells * 6 // 10, "monocyte": cells // 4, "granulocyte": cells // 10, "debris": cells // 20}
        latency = _histogram(LATENCY_EDGES, (5, 40, 35, 10, 6, 3, 1, 0), cells)
        snapshot = Snapshot(
            time_ns=START_NS + int(seconds * 1e9),
            started_ns=START_NS,
            number=int(seconds * 4),
            interval_s=0.25,
            state="armed",
            engine="openvino CPU int8",
            bundle="blood-student",
            bundle_sha256="3fa2c9d1e0aa" + "0" * 52,
            series="2026-11-21-run7",
            series_started_ns=START_NS,
            sort_delay_us=5000.0,
            actuation_lead_us=200.0,
            account=account,
            lifetime=copy.deepcopy(account),
            class_mix=mix,
            classes=mix,
            ways={"waste": account.decided - account.kept, "left": account.kept, "right": 0},
            waiting=9,
            in_flight=15,
            slots=256,
            receivers=1,
            histograms={
                "latency_from_arrival_seconds": latency,
                "latency_from_trigger_seconds": latency,
                "deadline_slack_seconds": _histogram((-1e-3, 0.0, 1e-3, 3e-3, 5e-3), (0, 1, 20, 300, 670, 0), cells),
                "batch_size_cells": _histogram((1.0, 2.0, 4.0, 8.0, 16.0, 32.0), (5, 5, 10, 40, 30, 10, 0), cells),
                "queue_depth_cells": _histogram((0.0, 4.0, 16.0, 64.0), (20, 60, 15, 5, 0), cells),
                "engine_seconds": _histogram((1e-4, 2e-4, 5e-4, 1e-3), (10, 60, 25, 5, 0), cells),
            },
            journal=JournalHealth(handed=account.decided, written=account.decided - 40, synced=account.decided - 96),
        )
        return msgspec.structs.replace(snapshot, **changes)

    return make


@pytest.fixture
def publisher():
    """A bound PUB socket and the endpoint it is at."""
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        socket.linger = 0
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        yield socket, f"tcp://127.0.0.1:{port}"
