"""The loop goes before others where the system permits it, and what it starts does not."""

import os
import threading
import time
from pathlib import Path

import pytest
import zmq

from streamer.loop._realtime import LOOP_PRIORITY, SOCKETS_PRIORITY, Realtime

FIFO = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK


def on_a_thread(job):
    """Return what `job` returns on a thread of its own, whose scheduling is nobody else's."""
    found = []
    thread = threading.Thread(target=lambda: found.append(job()))
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def permitted():
    if not on_a_thread(lambda: Realtime(True).granted):
        pytest.skip("real-time scheduling is not permitted here, or there is one processor")


def test_the_thread_that_holds_is_first_until_it_releases(permitted):
    def job():
        realtime = Realtime(True)
        before = os.sched_getscheduler(0)
        realtime.hold()
        realtime.hold()
        held = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
        started = on_a_thread(lambda: os.sched_getscheduler(0))
        realtime.release()
        realtime.release()
        return before, held, started, os.sched_getscheduler(0)

    assert on_a_thread(job) == (os.SCHED_OTHER, (FIFO, LOOP_PRIORITY), os.SCHED_OTHER, os.SCHED_OTHER)


def test_the_threads_of_the_sockets_are_first(permitted):
    def threads():
        return {int(task.name) for task in Path("/proc/self/task").iterdir()}

    before = threads()
    with zmq.Context() as context:
        on_a_thread(lambda: Realtime(True).let_sockets(context))
        with context.socket(zmq.PUB):
            new = threads() - before
            assert new
            until = time.monotonic() + 10  # each sets its own when it begins to run
            while {os.sched_getscheduler(tid) for tid in new} != {os.SCHED_FIFO} and time.monotonic() < until:
                time.sleep(0.01)
            found = {(os.sched_getscheduler(tid), os.sched_getparam(tid).sched_priority) for tid in new}
            assert found == {(os.SCHED_FIFO, SOCKETS_PRIORITY)}


def test_a_loop_that_never_sleeps_can_be_interrupted(permitted):
    def job():
        realtime = Realtime(True, spinning=True)
        realtime.hold()
        return realtime.granted, os.sched_getscheduler(0)

    assert on_a_thread(job) == (True, os.SCHED_OTHER)


def test_who_does_not_wish_it_is_an_ordinary_thread():
    def job():
        realtime = Realtime(False)
        realtime.hold()
        return realtime.granted, os.sched_getscheduler(0)

    assert on_a_thread(job) == (False, os.SCHED_OTHER)


@pytest.mark.parametrize("why", ["one processor", "no right"])
def test_where_it_cannot_be_everything_works_as_before(monkeypatch, why, caplog):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    if why == "one processor":
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    else:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
        monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with caplog.at_level("INFO"):
        realtime = Realtime(True)
    assert not realtime.granted
    assert "no real-time scheduling" in caplog.text
    realtime.hold()
    realtime.release()
