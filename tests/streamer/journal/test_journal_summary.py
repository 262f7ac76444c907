import msgspec
import numpy as np

from streamer.journal import JournalWriter, Summary, read_journal, summarize
from streamer.vocabulary import Reason
from tests.support.journal_samples import make_header, make_records, make_totals


def summary_of(path, records, totals=None, **changes) -> Summary:
    with JournalWriter(path, make_header(**changes)) as writer:
        writer.append(records)
        writer.close(totals)
    return summarize(read_journal(path))


def test_a_good_series_adds_up_and_agrees(tmp_path):
    summary = summary_of(tmp_path / "a.cgj", make_records(30), make_totals(30))
    assert summary.disagreements == []
    assert summary.complete
    assert summary.ended == "end"
    assert (summary.account.sent, summary.account.decided, summary.account.kept) == (30, 30, 10)
    assert summary.account.not_kept == {"not_in_gate": 20}
    assert summary.ways == {"waste": 20, "left": 10}
    assert summary.classes == {"class0": 10, "class1": 10, "class2": 10}
    assert summary.latency_us == {"p50": 1000.0, "p90": 1000.0, "p99": 1000.0, "p99.9": 1000.0, "max": 1000.0}
    assert set(summary.slack_us.values()) == {500.0}
    assert (summary.with_deadline, summary.deadline_misses) == (15, 0)
    assert (summary.gaps, summary.missing, summary.duplicates) == ([], 0, 0)
    assert summary.duration_s == 0.0039
    assert round(summary.rate_hz) == round(30 / 0.0039)


def test_gaps_reach_to_what_the_totals_say_was_sent(tmp_path):
    records = make_records(20)
    records = records[np.isin(records["seq"], [2, 3, 7, 9])]
    summary = summary_of(tmp_path / "a.cgj", records, make_totals(4, sent=12, received=4))
    assert summary.gaps == [(0, 1), (4, 6), (8, 8), (10, 11)]
    assert (summary.gap_count, summary.missing, summary.account.sent) == (4, 8, 12)


def test_order_of_decision_does_not_make_gaps(tmp_path):
    summary = summary_of(tmp_path / "a.cgj", make_records(9)[::-1])
    assert summary.gaps == []
    assert not summary.complete
    assert summary.totals is None


def test_a_cell_decided_twice_is_found(tmp_path):
    summary = summary_of(tmp_path / "a.cgj", np.concatenate([make_records(5), make_records(1, start=3)]))
    assert summary.duplicates == 1
    assert "1 decisions of cells decided before" in summary.disagreements
    assert "records: received is not decided + pending" in summary.disagreements


def test_every_difference_to_the_totals_is_listed(tmp_path):
    totals = make_totals(30, kept=11, not_kept={"not_in_gate": 18, "late": 1})
    summary = summary_of(tmp_path / "a.cgj", make_records(29), totals)
    assert summary.disagreements == [
        "decided: 29 in the records, 30 in the totals",
        "kept: 10 in the records, 11 in the totals",
        "late: 0 in the records, 1 in the totals",
        "not_in_gate: 19 in the records, 18 in the totals",
    ]


def test_totals_that_do_not_add_up_or_are_no_account_are_told(tmp_path):
    wrong = summary_of(tmp_path / "a.cgj", make_records(30), make_totals(30, pending=1))
    assert "totals: received is not decided + pending" in wrong.disagreements
    none = summary_of(tmp_path / "b.cgj", make_records(30), {"account": "none"})
    assert none.disagreements == ["the totals hold no account"]


def test_misses_and_cells_kept_late(tmp_path):
    records = make_records(9)
    records["slack_ns"][3] = -1
    records["reason"][4], records["slack_ns"][4] = Reason.LATE, -2000
    summary = summary_of(tmp_path / "a.cgj", records)
    assert summary.deadline_misses == 2
    assert summary.slack_us["min"] == -2.0
    assert summary.account.not_kept["late"] == 1
    assert summary.disagreements == ["1 cells kept after their deadline"]


def test_codes_without_a_label_are_shown_as_codes(tmp_path):
    records = make_records(3)
    records["reason"], records["way"], records["class_"] = 77, 9, -1
    summary = summary_of(tmp_path / "a.cgj", records)
    assert summary.account.not_kept == {"code 77": 3}
    assert summary.ways == {"code 9": 3}
    assert summary.classes == {"none": 3}


def test_an_empty_series(tmp_path):
    summary = summary_of(tmp_path / "a.cgj", make_records(0), make_totals(0))
    assert summary.disagreements == []
    assert summary.latency_us == summary.slack_us == summary.ways == {}
    assert (summary.duration_s, summary.rate_hz, summary.gaps) == (0.0, 0.0, [])
    assert msgspec.json.decode(msgspec.json.encode(summary), type=Summary) == summary
