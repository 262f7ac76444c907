import fcntl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.journal import JournalError, JournalWriter, cut_torn_tail, read_journal, record_dtype, summarize
from streamer.journal._records import seal
from tests.support.journal_samples import make_header, make_records, make_totals, write_journal

SIZE = record_dtype(3).itemsize


@pytest.fixture
def journal_bytes(tmp_path):
    """A journal of ten decisions, as bytes."""
    write_journal(tmp_path / "whole.cgj", 10)
    return (tmp_path / "whole.cgj").read_bytes()


def test_torn_anywhere_in_the_last_records_it_is_cut_cleanly(tmp_path, journal_bytes):
    path = tmp_path / "torn.cgj"
    for lost in range(1, 2 * SIZE + 1):
        path.write_bytes(journal_bytes[:-lost])
        journal = read_journal(path)
        whole = 10 - -(-lost // SIZE)
        assert journal.decisions["seq"].tolist() == list(range(whole))
        assert journal.torn_bytes == -lost % SIZE
        assert journal.intact
        assert cut_torn_tail(path) == journal.torn_bytes
        assert path.stat().st_size == len(journal_bytes) - (10 - whole) * SIZE
        assert read_journal(path).torn_bytes == 0


@pytest.mark.parametrize("tail", [b"\0" * 3, b"\0" * SIZE * 5, b"\xff" * (SIZE * 2 + 1), b"\x01" + b"\0" * SIZE])
def test_rubbish_behind_the_last_record_is_a_torn_tail(tmp_path, journal_bytes, tail):
    path = tmp_path / "torn.cgj"
    path.write_bytes(journal_bytes + tail)
    assert read_journal(path).torn_bytes == len(tail)
    assert read_journal(path).damaged == []
    assert cut_torn_tail(path) == len(tail)
    assert path.read_bytes() == journal_bytes
    assert cut_torn_tail(path) == 0


def test_any_flipped_byte_damages_its_record_and_no_other(tmp_path, journal_bytes):
    path = tmp_path / "flipped.cgj"
    start = len(journal_bytes) - 10 * SIZE
    for at in range(start + 4 * SIZE, start + 5 * SIZE):
        flipped = bytearray(journal_bytes)
        flipped[at] ^= 0x10
        path.write_bytes(flipped)
        journal = read_journal(path)
        assert journal.damaged == [4]
        assert not journal.intact
        assert journal.torn_bytes == 0
        assert journal.decisions["seq"].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_header_cut_or_flipped_is_one_clear_line(tmp_path, journal_bytes):
    path = tmp_path / "bad.cgj"
    start = len(journal_bytes) - 10 * SIZE
    for length in [*range(40), *range(40, start, 23), start - 1]:
        path.write_bytes(journal_bytes[:length])
        with pytest.raises(JournalError, match=r"^[^\n]*bad\.cgj: [^\n]+$"):
            read_journal(path)
    for at in [*range(40), *range(40, start, 23), start - 1]:
        flipped = bytearray(journal_bytes)
        flipped[at] ^= 0x10
        path.write_bytes(flipped)
        with pytest.raises(JournalError, match=r"^[^\n]*bad\.cgj: [^\n]+$"):
            read_journal(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + b"\0" * 100, b"\x89CGJ", b"seq,class\n" * 50])
def test_foreign_file_is_refused_and_never_cut(tmp_path, content):
    path = tmp_path / "foreign.bin"
    path.write_bytes(content)
    with pytest.raises(JournalError):
        read_journal(path)
    with pytest.raises(JournalError):
        cut_torn_tail(path)
    assert path.read_bytes() == content


def test_missing_file_and_directory_are_refused(tmp_path):
    with pytest.raises(JournalError, match="no such file"):
        read_journal(tmp_path / "no.cgj")
    with pytest.raises(JournalError, match="no regular file"):
        read_journal(tmp_path)


def test_later_version_is_named(tmp_path, journal_bytes):
    path = tmp_path / "later.cgj"
    path.write_bytes(journal_bytes[:8] + b"\x02" + journal_bytes[9:])
    with pytest.raises(JournalError, match="format version: found 2, expected 1"):
        read_journal(path)


def test_huge_header_length_is_refused_unread(tmp_path, journal_bytes):
    path = tmp_path / "huge.cgj"
    path.write_bytes(journal_bytes[:12] + b"\xff\xff\xff\xff" + journal_bytes[16:])
    with pytest.raises(JournalError, match="header length"):
        read_journal(path)


@pytest.fixture
def journal_with_event(tmp_path):
    """Two decisions, an event of several pieces, two decisions."""
    path = tmp_path / "event.cgj"
    with JournalWriter(path, make_header()) as writer:
        writer.append(make_records(2))
        writer.event("config", {"text": "x" * 200})
        writer.append(make_records(2, start=2))
    return path


def test_event_with_a_damaged_piece_is_broken_and_the_rest_is_read(journal_with_event):
    path, data = journal_with_event, journal_with_event.read_bytes()
    start = 16 + int.from_bytes(data[12:16], "little") + 4
    whole = read_journal(path)
    assert whole.events[0]["text"] == "x" * 200
    pieces = (whole.good_bytes - start) // SIZE - 4
    assert pieces > 3
    for piece in range(pieces):
        flipped = bytearray(data)
        flipped[start + (2 + piece) * SIZE + 20] ^= 1
        path.write_bytes(flipped)
        journal = read_journal(path)
        assert journal.damaged == [2 + piece]
        assert (journal.events, journal.broken_events) == ([], 1)
        assert journal.decisions["seq"].tolist() == [0, 1, 2, 3]


def test_event_that_stops_where_the_file_stops_is_not_damage(tmp_path):
    path = tmp_path / "a.cgj"
    write_journal(path, 2, totals=make_totals(2) | {"text": "x" * 300})
    data = path.read_bytes()
    path.write_bytes(data[: -SIZE - 5])
    journal = read_journal(path)
    assert journal.intact
    assert not journal.complete
    assert len(journal.decisions) == 2


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=SIZE - 1)), min_size=1, max_size=6))
def test_records_of_any_content_are_read_without_a_fault(tmp_path, journal_bytes, bodies):
    path = tmp_path / "any.cgj"
    records = bytearray(b"".join((bytes([kind]) + body).ljust(SIZE, b"\0") for kind, body in bodies))
    seal(records, SIZE)
    path.write_bytes(journal_bytes + records)
    journal = read_journal(path)
    assert len(journal.decisions) == 10 + sum(kind == 1 for kind, _ in bodies)
    assert journal.broken_events <= sum(kind == 2 for kind, _ in bodies)
    summarize(journal)


def test_a_journal_being_written_is_readable_but_not_cut(tmp_path):
    path = tmp_path / "a.cgj"
    write_journal(path, 2)
    with path.open("ab") as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)
        writing.write(b"torn")
        writing.flush()
        assert read_journal(path).torn_bytes == 4
        with pytest.raises(JournalError, match="still being written"):
            cut_torn_tail(path)
    assert cut_torn_tail(path) == 4


def test_writer_holds_the_lock(tmp_path):
    path = tmp_path / "a.cgj"
    with JournalWriter(path, make_header()), path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
