"""The asynchronous life of a batch: submit, wake, collect; and everything a caller may do wrong."""

import select

import numpy as np
import pytest

from engines.backends import DEFAULT_LADDER, Wakeup, open_engine
from engines.errors import BundleError, EngineError, InputError
from tests.support.toy import toy_frames


def frames_of(*classes):
    return toy_frames(np.array(classes)).copy()


def readable(engine, timeout_ms=0):
    poller = select.poll()
    poller.register(engine.fileno(), select.POLLIN)
    return bool(poller.poll(timeout_ms))


def test_the_descriptor_is_readable_while_a_finished_batch_waits(engine):
    assert not readable(engine)
    for _ in range(3):
        engine.submit(frames_of(1))
        assert readable(engine, 30_000)
        assert readable(engine)
        assert engine.collect() is not None
        assert not readable(engine)


def test_one_batch_at_a_time(engine):
    assert engine.ready
    engine.submit(frames_of(1))
    assert not engine.ready
    with pytest.raises(EngineError, match="under way"):
        engine.submit(frames_of(2))
    assert engine.collect(timeout_s=30).probabilities.argmax() == 1
    assert engine.ready


def test_each_batch_gets_its_own_answer(engine):
    for classes in ([0], [1, 2], [2, 1, 0], [1], [0, 0, 0, 0, 2], [2]):
        engine.submit(frames_of(*classes))
        assert engine.collect(timeout_s=30).probabilities.argmax(axis=1).tolist() == classes


def test_answers_stay_as_they_are_while_the_engine_goes_on(engine):
    engine.submit(frames_of(2, 2))
    first = engine.collect(timeout_s=30)
    kept = first.probabilities.copy(), first.embedding.copy(), first.measurements.copy()
    engine.submit(frames_of(0, 0))
    engine.collect(timeout_s=30)
    for before, now in zip(kept, (first.probabilities, first.embedding, first.measurements), strict=True):
        assert np.array_equal(before, now)


def test_the_frames_of_a_batch_stay_as_they_are(engine):
    frames = frames_of(0, 1, 2)
    before = frames.copy()
    engine.submit(frames)
    engine.collect(timeout_s=30)
    assert np.array_equal(frames, before)


def test_an_idle_engine_has_nothing_to_collect(engine):
    assert engine.collect() is None
    assert engine.collect(timeout_s=0.01) is None
    engine.submit(frames_of(1))
    assert engine.collect(timeout_s=30) is not None
    assert engine.collect() is None


def test_a_batch_above_the_top_rung_is_refused_and_leaves_the_engine_ready(engine):
    with pytest.raises(EngineError, match="batch of 9 is above the top rung 8"):
        engine.submit(frames_of(*[0] * 9))
    assert engine.ready


def test_an_empty_batch_is_refused(engine):
    with pytest.raises(EngineError):
        engine.submit(frames_of(1)[:0])


@pytest.mark.parametrize(
    "wrong",
    [
        frames_of(1).astype(np.float32),
        frames_of(1).astype(np.uint8),
        frames_of(1, 1, 1).astype(np.int16),
        frames_of(1).astype(">u2"),
        frames_of(1, 1, 1).astype(">u2"),
        frames_of(1)[:, :1],
        frames_of(1)[:, :, :7],
        frames_of(1)[0],
        np.zeros((3, 2, 8, 9), np.uint16),
    ],
    ids=lambda frames: f"{frames.dtype.str}{frames.shape}",
)
def test_frames_that_do_not_fit_are_refused_and_leave_the_engine_ready(engine, wrong):
    """Counts of another byte order above all: the graph would answer, and be wrong."""
    with pytest.raises(EngineError):
        engine.submit(wrong)
    assert engine.ready
    engine.submit(frames_of(2))
    assert engine.collect(timeout_s=30).probabilities.argmax() == 2


@pytest.mark.parametrize("n", [1, 2, 3])
def test_frames_that_may_not_be_written_to_are_an_answer_or_an_engine_error(engine, n):
    """A view into a received message is read-only."""
    frames = frames_of(*[1] * n)
    frames.flags.writeable = False
    try:
        engine.submit(frames)
        assert engine.collect(timeout_s=30).probabilities.argmax(axis=1).tolist() == [1] * n
    except EngineError:
        assert engine.ready


def test_warming_runs_every_rung_and_leaves_nothing_behind(engine):
    times = engine.warm()
    assert tuple(times) == engine.ladder == (1, 2, 4, 8)
    assert all(seconds > 0 for seconds in times.values())
    assert engine.ready
    assert engine.collect() is None
    assert not readable(engine)


def test_take_fills_a_rung_and_never_exceeds_what_waits(engine):
    assert [engine.take(n) for n in (1, 2, 3, 4, 7, 8, 9, 1000)] == [1, 2, 2, 4, 4, 8, 8, 8]


def test_take_without_a_rung_of_one_takes_what_there_is(toy_bundle, named):
    engine = open_engine(toy_bundle, named, threads=1, ladder=(4,))
    assert [engine.take(n) for n in (1, 3, 4, 9)] == [1, 3, 4, 4]
    engine.submit(frames_of(2, 0, 1))
    assert engine.collect(timeout_s=30).probabilities.argmax(axis=1).tolist() == [2, 0, 1]
    engine.close()


def test_the_ladder_is_sorted_and_each_rung_is_there_once(toy_bundle, named):
    engine = open_engine(toy_bundle, named, threads=1, ladder=(4, 1, 4))
    assert engine.ladder == (1, 4)
    engine.close()


@pytest.mark.parametrize("ladder", [(), (-1,)])
def test_a_ladder_without_a_rung_is_refused(toy_bundle, named, ladder):
    with pytest.raises((InputError, EngineError)):
        open_engine(toy_bundle, named, threads=1, ladder=ladder)


def test_the_default_ladder_begins_with_one_cell():
    assert DEFAULT_LADDER[0] == 1
    assert list(DEFAULT_LADDER) == sorted(set(DEFAULT_LADDER))


def test_an_engine_says_what_it_is(engine, named, toy_bundle):
    assert engine.bundle is toy_bundle
    assert engine.name.startswith(f"{named} ")
    assert "fp32" in engine.name
    assert engine.capacity == 1


def test_closing_twice_is_closing_once(engine):
    engine.close()
    engine.close()
    assert not engine.ready
    assert engine.collect() is None
    with pytest.raises(EngineError, match="closed"):
        engine.submit(frames_of(1))


def test_an_engine_may_be_closed_while_a_batch_is_under_way(toy_bundle, named):
    for _ in range(10):
        engine = open_engine(toy_bundle, named, threads=1, ladder=(1,))
        engine.submit(frames_of(1))
        engine.close()
        assert not engine.ready
        assert engine.collect() is None


@pytest.mark.parametrize("name", ["tensorrt9", "", "OpenVINO", "auto "])
def test_an_unknown_engine_is_refused_by_name(toy_bundle, name):
    with pytest.raises(InputError, match="expected auto or openvino"):
        open_engine(toy_bundle, name)


def test_auto_opens_an_engine(toy_bundle):
    engine = open_engine(toy_bundle, "auto", threads=1, ladder=(1,))
    engine.submit(frames_of(2))
    assert engine.collect(timeout_s=30).probabilities.argmax() == 2
    engine.close()


def test_a_precision_the_bundle_lacks_is_refused(toy_bundle, named):
    with pytest.raises(BundleError, match="int8"):
        open_engine(toy_bundle, named, precision="int8")


class TestWakeup:
    def test_any_number_of_sets_are_cleared_by_one_clear(self):
        wakeup = Wakeup()
        assert not readable(wakeup)
        wakeup.clear()
        wakeup.set()
        wakeup.set()
        assert readable(wakeup)
        wakeup.clear()
        assert not readable(wakeup)
        wakeup.close()

    def test_many_sets_do_not_block(self):
        wakeup = Wakeup()
        for _ in range(100_000):
            wakeup.set()
        assert readable(wakeup)
        wakeup.close()

    def test_setting_and_closing_after_close_do_nothing(self):
        wakeup = Wakeup()
        wakeup.close()
        wakeup.set()
        wakeup.close()
