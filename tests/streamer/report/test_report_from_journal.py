import msgspec
import numpy as np
import pytest

from streamer.journal import read_journal
from streamer.report import SortReport, WayPlan, make_report, plans_of, report_of, timing_of_meters
from streamer.report._tally import SortTally
from streamer.vocabulary import Account
from streamer.wire import HistogramData
from tests.support.journal_samples import make_header, write_journal
from tests.support.report_samples import CLASSES, GATES, gated_header, random_entries, write


def test_what_a_report_says_of_a_closed_series(journal):
    report = report_of(journal)
    kept = journal.decisions["reason"] == 0
    left, right = report.ways
    assert (report.series, report.ended, report.elapsed_s) == ("s1", "end", 10.0)
    assert (report.total_events, report.missing, report.account_errors) == (500, 0, [])
    assert report.processed_percent == 100 * (journal.decisions["class_"] >= 0).mean()
    assert left.sorted + right.sorted == report.account.kept == kept.sum()
    assert left.sort_rate_per_s == left.sorted / 10
    assert left.efficiency_percent == 100 * left.sorted / left.in_gate
    assert (left.mode, left.window_us, left.target, left.gates) == ("purity", 150.0, 40, ["ab"])
    assert (right.mode, right.window_us, right.target, right.gates) == ("yield", None, None, ["c", "bright"])
    assert set(left.aborts.hardware) == {"hardware_abort"}
    assert "hardware_abort" not in left.aborts.software
    assert {"coincident", "late", "uncertain"} <= set(left.aborts.software)
    assert report.timing.latency_us["p50"] == 300.0
    assert report.timing.exact
    assert (report.timing.with_deadline, report.timing.deadline_misses) == (500, 0)
    assert [note for note in report.notes if "yield" in note] == report.notes
    assert msgspec.json.decode(msgspec.json.encode(report), type=SortReport) == report


def test_a_torn_journal_is_reported_as_far_as_it_goes(journal, tmp_path):
    data = journal.path.read_bytes()
    torn = tmp_path / "torn.journal"
    torn.write_bytes(data[: len(data) // 2])
    report = report_of(read_journal(torn))
    assert 0 < report.account.decided < 500
    assert report.ended == ""
    assert any("not closed" in note for note in report.notes)
    assert any("torn tail" in note for note in report.notes)
    last = 2_000_000 + (report.account.decided - 1) * 1_000_000 + 300_000
    assert report.elapsed_s == pytest.approx((last - 1_000_000) / 1e9)


def test_a_series_without_cells(tmp_path):
    report = report_of(write(tmp_path / "a.journal", random_entries(0, 0)))
    assert (report.processed_percent, report.timing) == (None, None)
    for way in report.ways:
        assert (way.in_gate, way.sorted, way.sort_rate_per_s, way.efficiency_percent) == (0, 0, 0, None)
        assert (way.purity, way.purity_why) == (None, "no cell was sorted")


def test_a_gate_without_a_class_has_no_purity_and_says_so(tmp_path):
    report = report_of(write(tmp_path / "a.journal", random_entries(300, 1, gates=(0, 1, 2))))
    left, right = report.ways
    assert left.purity is not None
    assert right.purity is None
    assert right.purity_why.startswith("sorted by a gate that names no class: bright (")


def test_gates_and_targets_that_changed_on_the_way(tmp_path):
    entries = random_entries(100, 2, gates=(5,))
    entries["gate"], entries["reason"], entries["class_"], entries["probabilities"] = 5, 0, 1, (0.25, 0.5, 0.25)
    events = [
        ("gates", {"first": len(GATES), "gate": [{"name": "b", "way": "left", "classes": ["B"]}]}),
        ("ways", {"way": [{"name": "left", "mode": "single", "target": 7}]}),
    ]
    left, right = report_of(write(tmp_path / "a.journal", entries, events=events)).ways
    assert (left.sorted, left.gates, left.mode, left.target) == (100, ["ab", "b"], "single", 7)
    assert left.purity.estimate == pytest.approx(0.5)
    assert right.in_gate == 0


@pytest.mark.parametrize("config", [{}, {"gate": 5}, {"gate": [{"name": "ab", "shape": "round"}]}, {"gate": []}])
def test_gates_that_are_not_described_are_told_by_the_cells_they_kept(tmp_path, config):
    entries = random_entries(200, 4, gates=(-1, 0, 1, 4, 9))
    entries["way"][entries["gate"] == 9] = 0
    report = report_of(write(tmp_path / "a.journal", entries, gated_header(config=config)))
    assert [way.name for way in report.ways] == ["left", "right"]
    assert report.ways[0].sorted == ((entries["gate"] == 0) & (entries["reason"] == 0)).sum()
    assert report.ways[0].purity_why.startswith("sorted by a gate that names no class: ab (")
    assert any("gate code 9 is not described" in note for note in report.notes)


def test_a_journal_of_another_make(tmp_path):
    write_journal(tmp_path / "a.journal", 30)
    report = report_of(read_journal(tmp_path / "a.journal"))
    assert [(way.name, way.sorted) for way in report.ways] == [("left", 10)]


def test_odd_codes_are_counted_and_do_no_harm(tmp_path):
    entries = random_entries(50, 5)
    entries["gate"][:2], entries["reason"][:2] = -7, 200
    entries["gate"][2], entries["reason"][2] = 0, 201
    report = report_of(write(tmp_path / "a.journal", entries[:3]))
    assert report.ways[0].aborts.software == {"code 201": 1}


def test_what_does_not_add_up_is_said():
    tally = SortTally((), len(CLASSES))
    account = Account(sent=5, received=5, decided=5, kept=2, not_kept={"late": 3})
    report = make_report(make_header(), tally, account, elapsed_s=0)
    assert report.account_errors == ["tallied 0, decided 5", "sorted by ways 0, kept 2"]
    assert report.ended == ""


@pytest.mark.parametrize("tables", [None, 5, "left", [5, {"mode": "purity"}, {"name": 3}]])
def test_plans_of_what_is_no_way(tables):
    assert plans_of(tables) == {}


def test_plans():
    tables = [
        {"name": "a", "mode": "single", "window_us": 20, "count": 5},
        {"name": "b", "mode": 7, "leading_us": 2.5, "target": True},
    ]
    assert plans_of(tables) == {"a": WayPlan("single", 20.0, 5), "b": WayPlan(None, 2.5, None)}


def test_timing_from_the_loops_histograms():
    edges, slack_edges = (1e-4, 1e-3, 1e-2), (-1e-3, 0.0, 1e-3, 1e-2)
    before = HistogramData(edges, (1000, 0, 0, 0), 0.0)
    now = HistogramData(edges, (1050, 40, 9, 1), 0.0)
    zero = HistogramData(slack_edges, (0,) * 5, 0.0)
    timing = timing_of_meters(now, HistogramData(slack_edges, (0, 2, 0, 98, 0), 0.0), before, zero)
    assert timing.latency_us == pytest.approx({"p50": 100, "p90": 1000, "p99": 10_000})
    assert timing.slack_us == pytest.approx({"min": -1000, "p0.1": -1000, "p1": -1000, "p10": 1000, "p50": 1000})
    assert (timing.with_deadline, timing.deadline_misses, timing.exact) == (100, 2, False)
    assert timing_of_meters(before, zero, before, zero) is None
    assert timing_of_meters(now, zero, before, zero).slack_us == {}


def test_the_report_of_the_loop_is_that_of_its_journal(journal):
    from streamer.report._from_journal import _gates

    gates, notes = _gates(journal)
    tally = SortTally(gates, 3, journal.header.reasons)
    for entries in np.array_split(journal.decisions, 23):
        tally.add(entries)
    later = report_of(journal)
    tables = journal.header.config["way"]
    report = make_report(
        journal.header, tally, later.account, elapsed_s=10.0, ended="end", plans=plans_of(tables), timing=later.timing
    )
    assert notes == []
    for ours, theirs in zip(report.ways, later.ways, strict=True):
        assert msgspec.structs.replace(ours, purity=None) == msgspec.structs.replace(theirs, purity=None)
        assert msgspec.structs.astuple(ours.purity) == pytest.approx(msgspec.structs.astuple(theirs.purity))
