"""The loop goes before others where the system permits it, and what it starts does not."""

import os
import threading

import pytest
import zmq

from streamer.loop._realtime import LOOP_PRIORITY, SOCKETS_PRIORITY, Realtime, foreign_threads

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


def test_the_threads_of_the_sockets_are_first_with_it(permitted):
    before = foreign_threads()
    with zmq.Context() as context, context.socket(zmq.PUB):
        new = foreign_threads() - before
        assert new

        def found():
            return {(os.sched_getscheduler(tid), os.sched_getparam(tid).sched_priority) for tid in new}

        def job():
            realtime = Realtime(True)
            realtime.adopt(new)
            ordinary = found()
            realtime.hold()
            held = found()
            realtime.release()
            return ordinary, held, found()

        assert on_a_thread(job) == ({(os.SCHED_OTHER, 0)}, {(FIFO, SOCKETS_PRIORITY)}, {(os.SCHED_OTHER, 0)})


def test_threads_that_have_ended_are_no_trouble(permitted):
    def job():
        realtime = Realtime(True)
        realtime.adopt(frozenset({2**22 + 1}))
        realtime.hold()
        realtime.release()
        return os.sched_getscheduler(0)

    assert on_a_thread(job) == os.SCHED_OTHER


def test_it_is_held_while_the_load_is_light_and_no_engine_works_elsewhere(permitted):
    def job():
        realtime = Realtime(True)
        held = []
        for waited, worked, elsewhere in ((800, 200, False), (800, 200, True), (800, 200, False), (100, 900, False)):
            for _ in range(200):
                realtime.follow(waited * 1000, worked * 1000, elsewhere=elsewhere)
            held.append(realtime.held)
        for _ in range(200):  # half of the time: as it was before
            realtime.follow(480_000, 520_000, elsewhere=False)
        held.append(realtime.held)
        for _ in range(200):
            realtime.follow(100_000_000, 500_000, elsewhere=False)
        held.append(realtime.held)
        realtime.release()
        return held

    assert on_a_thread(job) == [True, False, True, False, False, True]


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
