import msgspec
import numpy as np
import pytest

from streamer.config import GateSection, WaySection
from streamer.journal import read_journal
from streamer.report import SortReport, WayPlan, make_report, plans_of, report_of, tallied_gates, timing_of_meters
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


def change(**said):
    return ("change", {"author": "AB", "reason": "too few", "changes": {}} | said)


NEW = {"name": "b", "way": "left", "classes": ["B"]}
BY_TABLE, BY_CHANGE = {"gate": [NEW]}, {"changes": {"gate": [NEW], "way": {"left": {"mode": "single", "target": 7}}}}


@pytest.mark.parametrize("first", [0, len(GATES)])
@pytest.mark.parametrize("said", [BY_TABLE, BY_CHANGE, {}])
def test_gates_and_targets_that_changed_on_the_way(tmp_path, first, said):
    entries = random_entries(100, 2, unclassified=0)
    later = entries[60:]
    later["gate"], later["reason"], later["way"], later["class_"] = first, 0, 1, 1
    later["probabilities"] = (0.25, 0.5, 0.25)
    moment = int(entries["decided_ns"][59]) + 1
    event = change(gates=["b"], monotonic_ns=moment, first=first, **said)
    report = report_of(write(tmp_path / "a.journal", entries, events=[event]))
    left, right = report.ways
    before = entries[:60]
    assert report.account_errors == []
    assert left.sorted == 40 + ((before["gate"] == 0) & (before["reason"] == 0)).sum()
    assert right.sorted == ((before["gate"] == 1) & (before["reason"] == 0)).sum()
    assert left.gates == ["ab", "b"]
    assert (left.mode, left.target) == (("single", 7) if said is BY_CHANGE else ("purity", 40))
    if said:
        ab = [sum(cell["probabilities"].tolist()[:2]) for cell in before if cell["gate"] == 0 and not cell["reason"]]
        assert left.purity.estimate == pytest.approx((sum(ab) + 20) / left.sorted)
        assert not any("described" in note for note in report.notes)
    else:
        assert left.purity_why == "sorted by a gate that names no class: b (40 cells)"
        assert "gate b is not described" in report.notes[0]


def test_changes_that_leave_the_gates_alone(tmp_path, journal):
    names = [gate["name"] for gate in GATES]
    event = change(gates=names, changes={"decision": {"armed": False}})
    entries = random_entries(500, 7)
    assert report_of(write(tmp_path / "a.journal", entries, events=[event])) == report_of(journal)


def test_a_change_without_a_moment_of_its_own_goes_by_the_time_it_was_written(tmp_path):
    entries = random_entries(20, 2, gates=(0,))
    report = report_of(write(tmp_path / "a.journal", entries, events=[change(gates=[]), change(gates=7)]))
    assert report.ways[0].in_gate == (entries["gate"] == 0).sum()


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


@pytest.mark.parametrize("way", [5, [{"name": "left"}], {"left": {"mode": "round"}}, {"left": {"odd": 1}}])
def test_ways_that_cannot_be_read_are_left_out(tmp_path, way):
    header = gated_header(config={"gate": list(GATES), "way": way, "actuator": 3})
    report = report_of(write(tmp_path / "a.journal", random_entries(9, 1), header))
    assert [(way.name, way.mode, way.target) for way in report.ways] == [("left", None, None), ("right", None, None)]


@pytest.mark.parametrize("config", [{}, {"way": {}}])
def test_a_way_the_configuration_does_not_mention_is_in_yield_mode(tmp_path, config):
    header = gated_header(config={"gate": list(GATES)} | config)
    report = report_of(write(tmp_path / "a.journal", random_entries(9, 1), header))
    assert [(way.mode, way.window_us, way.target) for way in report.ways] == [("yield", None, None)] * 2


def test_plans():
    ways = {
        "a": WaySection(mode="single", leading_drops=0.5, trailing_drops=1.0, plate=96, cells_per_well=2),
        "b": WaySection(leading_us=2.5, target=9),
        "c": WaySection(),
    }
    assert plans_of(ways, 20_000.0) == {
        "a": WayPlan("single", 75.0, 192),
        "b": WayPlan("yield", 2.5, 9),
        "c": WayPlan("yield", None, None),
    }
    assert plans_of(ways)["a"].window_us is None


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
    gates = msgspec.convert(journal.header.config["gate"], list[GateSection])
    tally = SortTally(tallied_gates(gates, CLASSES), 3, journal.header.reasons)
    for entries in np.array_split(journal.decisions, 23):
        tally.add(entries)
    later = report_of(journal)
    ways = msgspec.convert(journal.header.config["way"], dict[str, WaySection])
    report = make_report(
        journal.header, tally, later.account, elapsed_s=10.0, ended="end", plans=plans_of(ways), timing=later.timing
    )
    for ours, theirs in zip(report.ways, later.ways, strict=True):
        assert msgspec.structs.replace(ours, purity=None) == msgspec.structs.replace(theirs, purity=None)
        assert msgspec.structs.astuple(ours.purity) == pytest.approx(msgspec.structs.astuple(theirs.purity))
