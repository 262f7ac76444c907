"""What a recorder is told: of the configuration, and of an open series."""

from __future__ import annotations

import msgspec
import zmq

from streamer.config import Config
from streamer.loop._live import Live
from streamer.loop._series import Series
from streamer.recorder import Handover
from streamer.vocabulary import Reason
from streamer.wire import PROTOCOL_VERSION, Recording


def open_handover(config: Config, socket: zmq.Socket[bytes] | None) -> Handover | None:
    """Return the loop's end of recording; None where nothing is to be recorded."""
    if socket is None:
        return None
    section = config.recording
    idle = Recording(
        version=PROTOCOL_VERSION,
        series="",
        what=section.what,
        fraction=section.fraction,
        seed=section.seed,
        heartbeat_s=config.streamer.heartbeat_s,
        buffer_bytes=section.buffer_mb << 20,
    )
    return Handover(socket, idle)


def describe_series(live: Live, handover: Handover, series: Series) -> Recording:
    """Return what the frames of the open series are, and what the codes in their records mean now."""
    bundle = live.engine.bundle
    spec = bundle.manifest.input
    return msgspec.structs.replace(
        handover.idle,
        series=series.id,
        started_unix_ns=series.started_unix_ns,
        started_monotonic_ns=series.header.started_monotonic_ns,
        start_ticks=series.start.ticks,
        schema=series.start.schema,
        info=series.start.info,
        bundle=bundle.manifest.name,
        bundle_sha256=bundle.sha256,
        engine=live.engine.name,
        software=series.header.software,
        channels=tuple(spec.channels),
        dtype=spec.dtype,
        shape=bundle.frame_shape,
        fit=spec.fit,
        classes=bundle.classes,
        gates=live.gate_names,
        ways=live.gates.ways,
        reasons=tuple(reason.label for reason in Reason),
        sort_delay_us=series.sort_delay_us,
        actuation_lead_us=series.actuation_lead_us,
    )
