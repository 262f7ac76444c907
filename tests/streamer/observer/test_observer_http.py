from __future__ import annotations

import copy
import http.client
import json
import math
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from engines.errors import InputError
from streamer.observer._http import ObserverServer
from streamer.vocabulary import Reason, Rejection
from streamer.wire import BundleCount, JournalHealth, RecordingHealth


class StillFeed:
    """A feed that stays as it is."""

    def __init__(self, snapshot, age_s=0.1):
        self.snapshot, self.age_s = snapshot, age_s
        self.received, self.undecodable, self.lost = 12, 3, 1

    def read(self):
        return self.snapshot, self.age_s


@contextmanager
def serving(feed):
    with ObserverServer(feed, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(feed, path, method="GET", headers=None):
    with serving(feed) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def scrape(feed):
    """Samples by name and labels: `(name, frozenset(labels)) -> value`."""
    status, text = ask(feed, "/metrics")
    assert status == 200
    return {(s.name, frozenset(s.labels.items())): s.value for family in parse_text(text) for s in family.samples}


def key(name, **labels):
    return f"cellgate_{name}", frozenset(labels.items())


def test_metrics_are_the_account(make_snapshot):
    snapshot = make_snapshot()
    found, account = scrape(StillFeed(snapshot)), snapshot.lifetime
    for term in ("sent", "received", "decided", "kept", "duplicates", "disordered"):
        assert found[key(f"cells_{term}_total")] == getattr(account, term), term
    assert found[key("cells_missing")] == account.missing
    assert found[key("cells_pending")] == account.pending
    assert found[key("messages_total")] == account.messages
    assert found[key("decision_messages_undelivered_total")] == account.undelivered
    assert found[key("account_balanced")] == 1
    for reason in Reason:
        if reason is not Reason.KEPT:
            value = found[key("cells_not_kept_total", reason=reason.label)]
            assert value == account.not_kept.get(reason.label, 0)
    assert key("cells_not_kept_total", reason="kept") not in found
    for rejection in Rejection:
        assert found[key("messages_rejected_total", reason=rejection.value)] == account.rejected.get(rejection, 0)
    not_kept = sum(value for (name, _), value in found.items() if name == "cellgate_cells_not_kept_total")
    assert found[key("cells_decided_total")] == found[key("cells_kept_total")] + not_kept


def test_metrics_of_the_engine_and_of_each_bundle(make_snapshot):
    bundles = (BundleCount("old", "aa", 7), BundleCount("new", "bb", 5))
    found = scrape(StillFeed(make_snapshot(bundles=bundles, engine_faults=3, engine_rebuilds=2, swaps=1)))
    for count in bundles:
        labels = {"bundle": count.bundle, "bundle_sha256": count.bundle_sha256}
        assert found[key("cells_by_bundle_total", **labels)] == count.cells
    assert [found[key(f"{name}_total")] for name in ("engine_faults", "engine_rebuilds", "swaps")] == [3, 2, 1]
    assert found[key("engine_out")] == 0
    assert scrape(StillFeed(make_snapshot(engine_out="it hangs")))[key("engine_out")] == 1


def test_metrics_of_everything_else(make_snapshot):
    snapshot = make_snapshot()
    found = scrape(StillFeed(snapshot))
    for name, number in snapshot.classes.items():
        assert found[key("cells_by_class_total", **{"class": name})] == number
    for name, number in snapshot.ways.items():
        assert found[key("cells_by_way_total", way=name)] == number
    info = {"bundle": snapshot.bundle, "bundle_sha256": snapshot.bundle_sha256, "engine": snapshot.engine}
    assert found[key("bundle_info", **info)] == found[key("series_info", series=snapshot.series)] == 1
    for name, value in (("waiting", 9), ("in_flight", 15)):
        assert found[key(f"cells_{name}")] == value
    assert (found[key("slots")], found[key("receivers")]) == (256, 1)
    assert [found[key("state", state=s)] for s in ("armed", "disarmed", "stopping", "unknown")] == [1, 0, 0, 0]
    for name in ("handed", "written", "synced", "dropped"):
        assert found[key(f"journal_records_{name}_total")] == getattr(snapshot.journal, name)
    assert found[key("journal_fault")] == 0
    assert found[key("up")] == 1
    assert found[key("snapshot_age_seconds")] == 0.1
    counted = [found[key(f"snapshots_{name}_total")] for name in ("received", "undecodable", "lost")]
    assert counted == [12, 3, 1]
    series = {
        term: found[key("series_cells", term=term)] for term in ("sent", "pending", "missing", "kept", "not_kept")
    }
    assert series["sent"] == sum(value for term, value in series.items() if term != "sent")


def test_histograms_are_cumulative(make_snapshot):
    snapshot = make_snapshot()
    found = scrape(StillFeed(snapshot))
    for name, data in snapshot.histograms.items():
        bounds = [*(str(float(edge)) for edge in data.edges), "+Inf"]
        buckets = [found[key(f"{name}_bucket", le=bound)] for bound in bounds]
        assert buckets == sorted(buckets)
        assert buckets == [sum(data.counts[: i + 1]) for i in range(len(bounds))]
        # The format knows no sum, and so no count, where a bucket is negative; +Inf counts all.
        if data.edges[0] >= 0:
            assert found[key(f"{name}_count")] == buckets[-1] == sum(data.counts)
            assert found[key(f"{name}_sum")] == pytest.approx(data.sum)
        else:
            assert key(f"{name}_sum") not in found


def test_metrics_are_valid_openmetrics(make_snapshot):
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    for snapshot in (make_snapshot(), make_snapshot(histograms={}), None):
        status, text = ask(StillFeed(snapshot), "/metrics", headers=accept)
        assert status == 200
        assert text.endswith("# EOF\n")
        assert list(parse_openmetrics(text))


def test_every_metric_is_documented(make_snapshot):
    page = (Path(__file__).parents[3] / "docs" / "telemetry.md").read_text()
    documented = set(re.findall(r"`(cellgate_[a-z_]+)", page))
    _, text = ask(StillFeed(make_snapshot(recording=RecordingHealth("all", "r"))), "/metrics")
    served = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert served <= documented
    # And back: an alert or a table may name nothing that is not there.
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in documented} <= served


def test_frames_are_counted_where_they_are_to_be_recorded(make_snapshot):
    told = RecordingHealth("all", "r", offered=9, handed=6, skipped={"behind": 3}, recorded=4, dropped={"disk": 1})
    found = scrape(StillFeed(make_snapshot(recording=told)))
    skipped = [found[key("frames_skipped_total", reason=reason)] for reason in ("behind", "no_recorder")]
    assert found[key("frames_offered_total")] == found[key("frames_handed_total")] + sum(skipped) == 9
    assert (skipped, found[key("recorders")]) == ([3, 0], 1)
    assert found[key("frames_dropped_total", reason="disk")] == 1
    assert key("frames_offered_total") not in scrape(StillFeed(make_snapshot()))


def test_metrics_before_the_first_snapshot():
    found = scrape(StillFeed(None, math.inf))
    assert found[key("up")] == 0
    assert found[key("snapshot_age_seconds")] == math.inf
    assert found[key("state", state="unknown")] == 1
    assert key("cells_sent_total") not in found


def test_a_silent_streamer_keeps_its_counts_but_is_not_armed(make_snapshot):
    found = scrape(StillFeed(make_snapshot(), 60.0))
    assert found[key("up")] == 0
    assert found[key("state", state="armed")] == 0
    assert found[key("state", state="unknown")] == 1
    assert found[key("cells_sent_total")] == 2_400_000
    assert key("receivers") not in found


def test_health_is_good(make_snapshot):
    status, text = ask(StillFeed(make_snapshot()), "/healthz")
    report = json.loads(text)
    assert (status, report["status"], report["reasons"]) == (200, "ok", [])
    assert (report["age_s"], report["state"], report["series"]) == (0.1, "armed", "2026-11-21-run7")


def unbalanced(snapshot, which):
    getattr(snapshot, which).kept += 1
    return snapshot


@pytest.mark.parametrize(
    ("change", "age_s", "reason"),
    [
        (lambda _: None, math.inf, "no snapshot received yet"),
        (lambda make: make(), 2.1, "the last snapshot is 2.1 s old"),
        (lambda make: make(journal=JournalHealth(fault="disk full")), 0.1, "journal: disk full"),
        (lambda make: make(engine_out="no answer for 2 s"), 0.1, "engine: no answer for 2 s"),
        (lambda make: unbalanced(make(), "account"), 0.1, "account: decided is not kept + not kept"),
        (lambda make: unbalanced(make(), "lifetime"), 0.1, "account since start: decided is not kept + not kept"),
    ],
)
def test_health_fails(make_snapshot, change, age_s, reason):
    status, text = ask(StillFeed(change(make_snapshot), age_s), "/healthz")
    report = json.loads(text)
    assert (status, report["status"], report["reasons"]) == (503, "failing", [reason])


def test_health_allows_three_intervals(make_snapshot):
    slow = make_snapshot(interval_s=5.0)
    assert ask(StillFeed(slow, 14.9), "/healthz")[0] == 200
    assert ask(StillFeed(slow, 15.0), "/healthz")[0] == 503


def test_other_requests(make_snapshot):
    feed = StillFeed(make_snapshot())
    assert "/metrics" in ask(feed, "/")[1]
    assert ask(feed, "/etc/passwd")[0] == 404
    assert ask(feed, "/metrics", "POST")[0] == 405
    for path in ("/metrics", "/healthz", "/"):
        assert ask(feed, path, "HEAD") == (200, "")


def test_hostile_names_do_not_break_the_format(make_snapshot):
    name = 'a"} 1\ncellgate_up 7 \\'
    found = scrape(StillFeed(make_snapshot(classes={name: 5}, engine=name)))
    assert found[key("cells_by_class_total", **{"class": name})] == 5
    assert found[key("up")] == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org", ""])
def test_addresses_that_others_reach_are_refused(host):
    with pytest.raises(InputError, match="--allow-remote"):
        ObserverServer(StillFeed(None), host, 0)


def test_allowed_and_taken_addresses():
    with ObserverServer(StillFeed(None), "0.0.0.0", 0, allow_remote=True) as server:
        assert server.url.startswith("http://0.0.0.0:")
        with pytest.raises(InputError, match="a free address"):
            ObserverServer(StillFeed(None), "127.0.0.1", server.server_port)


def test_a_slow_client_holds_up_no_other(make_snapshot):
    with serving(StillFeed(make_snapshot())) as server:
        idle = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        idle.connect()
        busy = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        busy.request("GET", "/healthz")
        assert busy.getresponse().read()
        busy.close()
        idle.close()


def test_the_snapshot_is_left_as_it_was(make_snapshot):
    snapshot = make_snapshot()
    before = copy.deepcopy(snapshot)
    scrape(StillFeed(snapshot))
    assert snapshot == before
