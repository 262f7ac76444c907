import errno
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streamer.journal import JournalWriter, read_journal, record_dtype
from streamer.journal._disk import JournalFile
from tests.support.journal_samples import make_header, make_records, make_totals, wait_until

SIZE = record_dtype(3).itemsize
HERE = str(Path(__file__).parent)

APPEND_FOREVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.support.journal_samples import make_header, make_records
from streamer.journal import JournalWriter

writer = JournalWriter(Path(sys.argv[1]), make_header(), sync_interval_s=0.02)
seq = 0
while True:
    for n in (1, 7, 64):
        writer.append(make_records(n, start=seq))
        seq += n
    print(writer.health.synced, flush=True)
"""

FILL_THE_DISK = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.support.journal_samples import make_header, make_records, make_totals, wait_until
from streamer.journal import JournalWriter

path = Path(sys.argv[1])
writer = JournalWriter(path, make_header(), sync_interval_s=0.05)
wait_until(lambda: path.stat().st_size > 0)
header_bytes, record_bytes = path.stat().st_size, make_records(1).itemsize
limit = header_bytes + int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
for seq in range(0, 1000, 50):
    writer.append(make_records(50, start=seq))
wait_until(lambda: writer.health.fault)
size = path.stat().st_size
assert (size - header_bytes) % record_bytes == 0, "a partial record was left"
assert size + record_bytes > limit, "the room was not used"
print(writer.health.fault)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
wait_until(lambda: writer.health.synced == 1000)
health = writer.close(make_totals(1000))
assert (health.fault, health.dropped) == ("", 0), health
"""


@pytest.mark.parametrize("seed", range(5))
def test_after_kill_minus_nine_every_synced_record_is_readable(tmp_path, seed):
    path = tmp_path / "killed.cgj"
    command = [sys.executable, "-c", APPEND_FOREVER, str(path), HERE]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    synced = 0
    with child:
        lines = random.Random(seed).randint(20, 400)
        while lines > 0 or not synced:
            synced = int(child.stdout.readline())
            lines -= 1
        child.send_signal(signal.SIGKILL)
        tail = child.stdout.read().split("\n")[:-1]  # a last line without its line feed may be cut
    synced = int(tail[-1]) if tail else synced
    journal = read_journal(path)
    assert len(journal.decisions) >= synced > 0
    assert journal.decisions["seq"].tolist() == list(range(len(journal.decisions)))
    assert journal.torn_bytes < SIZE * 1000
    assert journal.intact


@pytest.mark.parametrize("room", [0, 1, SIZE - 1, 10 * SIZE, 10 * SIZE + 30, 333 * SIZE + 7])
def test_full_disk_leaves_no_partial_record_and_is_survived(tmp_path, room):
    path = tmp_path / "full.cgj"
    child = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(path), HERE, str(room)], capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    assert os.strerror(errno.EFBIG) in child.stdout
    journal = read_journal(path)
    assert journal.decisions["seq"].tolist() == list(range(1000))
    assert journal.complete
    assert journal.intact
    assert journal.torn_bytes == 0


class Disk:
    """Stands in for the disk: hangs while `hangs` is set, fails while there is an `error`."""

    def __init__(self, monkeypatch):
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.error = 0
        write = JournalFile._write_some

        def write_some(file, data, at):
            assert self.goes_on.wait(60)
            if self.error:
                raise OSError(self.error, os.strerror(self.error))
            return write(file, data, at)

        monkeypatch.setattr(JournalFile, "_write_some", write_some)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def test_append_goes_on_while_the_disk_hangs(tmp_path, disk):
    disk.goes_on.clear()
    writer = JournalWriter(tmp_path / "a.cgj", make_header())
    for seq in range(2000):
        writer.append(make_records(1, start=seq))
    assert (writer.health.handed, writer.health.written) == (2000, 0)
    disk.goes_on.set()
    health = writer.close(make_totals(2000))
    assert (health.synced, health.dropped, health.fault) == (2000, 0, "")
    assert read_journal(writer.path).decisions["seq"].tolist() == list(range(2000))


def test_beyond_the_backlog_records_are_dropped_counted_and_told(tmp_path, disk):
    disk.goes_on.clear()
    writer = JournalWriter(tmp_path / "a.cgj", make_header(), backlog_bytes=100 * SIZE + 4096)
    for seq in range(0, 200, 10):
        writer.append(make_records(10, start=seq))
    dropped = writer.health.dropped
    assert 0 < dropped < 100
    disk.goes_on.set()
    wait_until(lambda: writer.health.synced == 200 - dropped)
    writer.append(make_records(10, start=200))
    assert writer.close(make_totals(210)).synced == 210 - dropped
    journal = read_journal(writer.path)
    assert journal.decisions["seq"].tolist() == [*range(200 - dropped), *range(200, 210)]
    assert [event["event"] for event in journal.events] == ["dropped", "totals"]
    assert journal.events[0]["records"] == dropped


def test_drops_are_told_late_rather_than_never(tmp_path, disk, monkeypatch):
    monkeypatch.setattr("streamer.journal._writer.EVENT_ROOM_BYTES", 0)
    disk.goes_on.clear()
    writer = JournalWriter(tmp_path / "a.cgj", make_header(), backlog_bytes=1)
    writer.append(make_records(10))
    writer.event("config", {})
    writer.append(make_records(10, start=10))
    disk.goes_on.set()
    monkeypatch.setattr("streamer.journal._writer.EVENT_ROOM_BYTES", 1 << 20)
    assert writer.close().dropped == 20
    (event,) = read_journal(writer.path).events
    assert (event["event"], event["records"], event["events"]) == ("dropped", 20, 1)


def test_totals_still_fit_behind_a_full_backlog(tmp_path, disk):
    disk.goes_on.clear()
    writer = JournalWriter(tmp_path / "a.cgj", make_header(), backlog_bytes=1)
    writer.append(make_records(10))
    writer.finish(make_totals(10))
    disk.goes_on.set()
    assert writer.close().dropped == 10
    assert [event["event"] for event in read_journal(writer.path).events] == ["dropped", "totals"]


def test_close_gives_up_on_a_disk_that_stays_at_fault_and_says_so(tmp_path, disk):
    writer = JournalWriter(tmp_path / "a.cgj", make_header(), sync_interval_s=0.02)
    writer.append(make_records(5))
    wait_until(lambda: writer.health.synced == 5)
    disk.error = errno.ENOSPC
    writer.append(make_records(5, start=5))
    wait_until(lambda: writer.health.fault)
    health = writer.close(make_totals(10), timeout_s=0.1)
    assert os.strerror(errno.ENOSPC) in health.fault
    wait_until(lambda: writer.done)
    assert (writer.health.handed, writer.health.synced) == (10, 5)
    assert read_journal(writer.path).decisions["seq"].tolist() == [0, 1, 2, 3, 4]


def test_close_does_not_wait_for_a_disk_that_hangs(tmp_path, disk):
    disk.goes_on.clear()
    writer = JournalWriter(tmp_path / "a.cgj", make_header())
    writer.append(make_records(5))
    assert "not on the disk in time" in writer.close(timeout_s=0.05).fault
    disk.goes_on.set()
    wait_until(lambda: writer.done)
    assert writer.health.synced == 5
    assert writer.health.fault == ""


def test_after_a_failed_sync_everything_since_the_last_good_one_is_written_again(tmp_path, monkeypatch):
    path = tmp_path / "a.cgj"
    failing = threading.Event()
    sync = os.fdatasync

    def fdatasync(fd):
        if failing.is_set():
            os.ftruncate(fd, good_bytes)  # as a disk that lost the pages
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(fd)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    writer = JournalWriter(path, make_header(), sync_interval_s=0.02)
    writer.append(make_records(5))
    wait_until(lambda: writer.health.synced == 5)
    good_bytes = path.stat().st_size
    failing.set()
    writer.append(make_records(5, start=5))
    wait_until(lambda: writer.health.fault)
    assert writer.health.synced == 5
    failing.clear()
    wait_until(lambda: writer.health.synced == 10)
    writer.append(make_records(5, start=10))
    assert writer.close().fault == ""
    assert read_journal(path).decisions["seq"].tolist() == list(range(15))


def test_file_name_is_synced_with_the_first_records(tmp_path, monkeypatch):
    synced = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(Path(f"/proc/self/fd/{fd}").readlink()), sync(fd)))
    JournalWriter(tmp_path / "a.cgj", make_header()).close()
    assert synced == [tmp_path.resolve()]
