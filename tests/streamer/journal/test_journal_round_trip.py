import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import InputError
from streamer.journal import DECISION_RECORD, JournalError, JournalWriter, read_journal, record_dtype
from tests.support.journal_samples import make_header, make_records, make_totals, write_journal


@settings(max_examples=25, deadline=None)
@given(classes=st.integers(1, 40), sizes=st.lists(st.integers(0, 20), max_size=6), fill=st.binary(min_size=64))
def test_any_records_come_back_as_they_went_in(classes, sizes, fill):
    size = record_dtype(classes).itemsize
    total = sum(sizes)
    raw = (fill * (total * size // len(fill) + 1))[: total * size]
    records = np.frombuffer(raw, record_dtype(classes)).copy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.cgj"
        with JournalWriter(path, make_header(classes)) as writer:
            at = 0
            for n in sizes:
                writer.append(records[at : at + n])
                at += n
        journal = read_journal(path)
    assert (journal.decisions["kind"] == DECISION_RECORD).all()
    for name in record_dtype(classes).names[1:-1]:
        assert journal.decisions[name].tobytes() == records[name].tobytes(), name
    assert journal.intact
    assert journal.torn_bytes == 0
    assert not journal.complete


@settings(max_examples=25, deadline=None)
@given(
    events=st.lists(st.dictionaries(st.text(max_size=9), st.text(max_size=300) | st.integers(-9, 9)), max_size=5),
    classes=st.integers(1, 20),
)
def test_events_of_any_length_come_back_in_their_order(events, classes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.cgj"
        with JournalWriter(path, make_header(classes)) as writer:
            for number, data in enumerate(events):
                writer.event("note", {"data": data})
                writer.append(make_records(2, classes, 2 * number))
        journal = read_journal(path)
    assert [event["data"] for event in journal.events] == events
    assert all(event["event"] == "note" and event["unix_ns"] > 0 for event in journal.events)
    assert journal.decisions["seq"].tolist() == list(range(2 * len(events)))
    assert journal.broken_events == 0


def test_header_comes_back_and_describes_the_record(tmp_path):
    path = tmp_path / "a.cgj"
    config = {"path": Path("/somewhere"), "number": 3}
    JournalWriter(path, make_header(4, config=config)).close()
    header = read_journal(path).header
    assert header.schema == make_header().schema
    assert header.config == {"path": "/somewhere", "number": 3}
    assert header.reasons[:2] == ("kept", "not_in_gate")
    assert header.record_bytes == 68 == record_dtype(4).itemsize
    described = [(f.name, f.type, f.count, f.offset) for f in header.record]
    assert described[0] == ("kind", "u1", 1, 0)
    assert described[-2:] == [("probabilities", "f4", 4, 48), ("crc", "u4", 1, 64)]


def test_totals_close_a_journal_and_closing_twice_changes_nothing(tmp_path):
    path = tmp_path / "a.cgj"
    writer = JournalWriter(path, make_header())
    writer.append(make_records(7))
    health = writer.close(make_totals(7))
    assert (health.handed, health.written, health.synced, health.dropped, health.fault) == (7, 7, 7, 0, "")
    size = path.stat().st_size
    assert writer.close({"other": 1}) == health
    writer.event("late", {})
    writer.append(make_records(2, start=7))
    assert writer.health.dropped == 2
    assert path.stat().st_size == size
    journal = read_journal(path)
    assert journal.complete
    assert journal.totals["account"]["decided"] == 7


def test_finish_lets_the_thread_end_by_itself(tmp_path):
    writer = JournalWriter(tmp_path / "a.cgj", make_header())
    writer.append(make_records(3))
    writer.finish(make_totals(3))
    assert writer.close().synced == 3
    assert writer.done
    assert read_journal(writer.path).complete


def test_what_json_cannot_say_becomes_text_and_never_an_exception(tmp_path):
    path = tmp_path / "a.cgj"
    with JournalWriter(path, make_header()) as writer:
        writer.event("config", {"path": Path("/x")})
        writer.event("odd", {"text": "\udc80"})
        writer.event("long", {"text": "x" * (2 << 20)})
        writer.event("named", {"event": "totals"})
    config, odd, long, named = read_journal(path).events
    assert config["path"] == "/x"
    assert odd["event"] == "odd" and odd["left_out"]
    assert "1048576" in long["left_out"]
    assert named["event"] == "named"
    assert not read_journal(path).complete


def test_a_caller_may_reuse_its_records_at_once(tmp_path):
    path = tmp_path / "a.cgj"
    records = make_records(5)
    with JournalWriter(path, make_header()) as writer:
        writer.append(records)
        records["seq"] = 99
    assert read_journal(path).decisions["seq"].tolist() == [0, 1, 2, 3, 4]


def test_existing_file_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "a.cgj"
    path.write_text("mine")
    with pytest.raises(JournalError, match="a file of that name"):
        JournalWriter(path, make_header())
    assert path.read_text() == "mine"
    with pytest.raises(InputError, match="No such file or directory"):
        JournalWriter(tmp_path / "no" / "a.cgj", make_header())


@pytest.mark.parametrize("options", [{"sync_interval_s": 0.0}, {"sync_interval_s": 2.0}, {"backlog_bytes": 0}])
def test_impossible_options_are_refused_before_a_file_is_made(tmp_path, options):
    with pytest.raises(InputError, match=next(iter(options))):
        JournalWriter(tmp_path / "a.cgj", make_header(), **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("changes", [{"classes": ()}, {"config": {"text": "x" * (1 << 20)}}])
def test_impossible_header_is_refused_before_a_file_is_made(tmp_path, changes):
    with pytest.raises(JournalError, match="journal header"):
        JournalWriter(tmp_path / "a.cgj", make_header(**changes))
    assert not list(tmp_path.iterdir())


def test_records_of_another_layout_are_a_mistake_of_the_caller(tmp_path):
    with JournalWriter(tmp_path / "a.cgj", make_header(3)) as writer, pytest.raises(TypeError, match="not"):
        writer.append(make_records(1, classes=2))


def test_decisions_are_read_only(tmp_path):
    write_journal(tmp_path / "a.cgj")
    decisions = read_journal(tmp_path / "a.cgj").decisions
    with pytest.raises(ValueError, match="read-only"):
        decisions["seq"] = 0
