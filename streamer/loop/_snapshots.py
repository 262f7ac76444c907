"""Build the telemetry snapshot from the live state."""

from __future__ import annotations

import time

from streamer.loop._deciders import bundle_key
from streamer.loop._live import Live, add_account
from streamer.vocabulary import Account
from streamer.wire import BundleCount, Snapshot, State


def take_snapshot(live: Live, number: int) -> Snapshot:
    """Return the state of the streamer now; it shares nothing with the live state but what never changes."""
    series = live.series
    lifetime = Account()
    add_account(lifetime, live.lifetime)
    if series is None:
        account = live.last_account
        health = live.last_journal
    else:
        series.update_sent()
        series.account.undelivered = live.outlet.undelivered
        account = series.account
        add_account(lifetime, account)
        health = series.journal.health
    state: State = "stopping" if live.stopping else "armed" if live.armed else "disarmed"
    bundle = live.engine.bundle
    return Snapshot(
        time_ns=time.time_ns(),
        started_ns=live.started_ns,
        number=number,
        interval_s=live.config.streamer.snapshot_s,
        state=state,
        engine=live.engine.name,
        bundle=bundle.manifest.name,
        bundle_sha256=bundle.sha256,
        series="" if series is None else series.id,
        series_started_ns=0 if series is None else series.started_unix_ns,
        sort_delay_us=live.config.timing.sort_delay_us if series is None else series.sort_delay_us,
        actuation_lead_us=live.config.timing.actuation_lead_us if series is None else series.actuation_lead_us,
        account=account,
        lifetime=lifetime,
        class_mix=dict(zip(bundle.classes, ([] if series is None else series.class_mix.tolist()), strict=False)),
        classes=dict(zip(bundle.classes, live.class_totals.tolist(), strict=True)),
        ways=dict(zip(live.gates.ways, live.way_totals.tolist(), strict=True)),
        waiting=len(live.waiting),
        in_flight=sum(len(batch.slots) for batch in live.batches),
        slots=live.pool.size,
        receivers=live.outlet.receivers,
        histograms=live.meters.data(),
        journal=health,
        recording=None if live.recording is None else live.recording.health(),
        bundles=_bundles(live),
        engine_out=live.engine_health.out,
        engine_faults=live.engine_health.faults,
        engine_rebuilds=live.engine_health.rebuilds,
        swaps=live.engine_health.swaps,
    )


def _bundles(live: Live) -> tuple[BundleCount, ...]:
    counts = dict(live.decided_by)
    if live.series is not None:
        live.series.deciders.add_to(counts)
    counts.setdefault(bundle_key(live.engine.bundle), 0)
    return tuple(BundleCount(*key, cells) for key, cells in counts.items())
