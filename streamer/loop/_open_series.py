"""From a start message to an open series: checked against the bundle, with a journal of its own."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np

from engines.errors import InputError
from streamer.ingest import Placement, TickClock
from streamer.journal import JournalHeader, JournalWriter
from streamer.loop._deciders import Deciders
from streamer.loop._live import Live
from streamer.loop._series import Series
from streamer.loop._sorting import Sorting
from streamer.loop._way_rules import needs_sorting
from streamer.report import SortTally, tallied_gates
from streamer.wire import FrameLayout, Start, schema_hash

TICK_MIN_S, TICK_MAX_S = 1e-12, 1.0


def open_series(start: Start, peer: bytes, now_ns: int, live: Live, directory: Path) -> Series:
    """Check a start message against the bundle, create the journal and put the series together.

    Raises
    ------
    InputError
        The bundle does not suit the series, or a journal of its name is there already. Nothing was opened.
    """
    engine, gates, config = live.engine, live.gates, live.config
    timing = config.timing
    sort_delay = timing.sort_delay_us if start.sort_delay_us is None else start.sort_delay_us
    lead = timing.actuation_lead_us if start.actuation_lead_us is None else start.actuation_lead_us
    if sort_delay is not None and lead >= sort_delay:
        raise InputError("series", "actuation_lead_us", lead, f"below the sort delay, {sort_delay}")
    tick_s = start.schema.timebase[0] / start.schema.timebase[1]
    if not TICK_MIN_S <= tick_s <= TICK_MAX_S:
        raise InputError("series", "schema.timebase", f"ticks of {tick_s:g} s", f"{TICK_MIN_S:g} to {TICK_MAX_S:g} s")
    placement = Placement(start.schema, engine.bundle)
    clock = TickClock(start.schema.timebase)
    clock.observe(start.ticks, now_ns)
    sorting = Sorting(config, gates.ways, clock, sort_delay, lead) if needs_sorting(config) else None
    unix_ns = time.time_ns()
    header = JournalHeader(
        series=start.series,
        started_unix_ns=unix_ns,
        started_monotonic_ns=time.monotonic_ns(),
        schema=start.schema,
        info=start.info,
        bundle=engine.bundle.manifest.name,
        bundle_sha256=engine.bundle.sha256,
        engine=engine.name,
        classes=engine.bundle.classes,
        gates=live.gate_names,
        ways=gates.ways,
        sort_delay_us=sort_delay,
        actuation_lead_us=lead,
        config=msgspec.to_builtins(config),
        software=f"cellgate {version('cellgate')}",
    )
    classes = engine.bundle.classes
    tally = SortTally((), len(classes))
    tally.use_gates(tallied_gates(config.gate, classes), first=live.gate_first)
    journal = JournalWriter(directory / f"{start.series}.journal", header, sync_interval_s=config.journal.sync_s)
    return Series(
        start=start,
        peer=peer,
        journal=journal,
        placement=placement,
        layout=FrameLayout(start.schema),
        clock=clock,
        hash=schema_hash(start.schema),
        sort_delay_us=sort_delay,
        actuation_lead_us=lead,
        heard_ns=now_ns,
        started_unix_ns=unix_ns,
        class_mix=np.zeros(len(engine.bundle.classes), np.int64),
        way_mix=np.zeros(len(gates.ways), np.int64),
        deciders=Deciders(engine),
        sorting=sorting,
        header=header,
        tally=tally,
        latency_before=live.meters.latency_from_arrival.data(),
        slack_before=live.meters.deadline_slack.data(),
    )
