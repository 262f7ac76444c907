"""Which batches run on the calling thread: the quickest, and where processors are few, more of them."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.backends import LadderEngine, Worker, WorkerLane
from engines.backends._inline import BELOW_S, CROWDED_BELOW_S, FEW_CORES, inline_rungs
from tests.support.toy import toy_frames

TIMES = st.dictionaries(st.integers(1, 256), st.floats(1e-6, 0.1), min_size=1)
CORES = st.integers(1, 64)


@given(TIMES, CORES)
def test_the_quickest_always_are_and_slow_ones_never(best, cores):
    chosen = inline_rungs(best, cores)
    assert {size for size, took in best.items() if took < BELOW_S} <= chosen
    assert all(best[size] < CROWDED_BELOW_S for size in chosen)


@given(TIMES, st.integers(FEW_CORES + 1, 64))
def test_with_processors_to_spare_no_others_are(best, cores):
    assert inline_rungs(best, cores) == {size for size, took in best.items() if took < BELOW_S}


@given(TIMES, CORES)
def test_the_largest_is_only_where_it_is_among_the_quickest(best, cores):
    largest = max(best)
    assert (largest in inline_rungs(best, cores)) == (best[largest] < BELOW_S)


class Timed(WorkerLane):
    """Takes as long as it is told, and remembers which threads it ran on."""

    def __init__(self, worker, rung, bundle, took_s):
        frames = np.zeros((rung, *bundle.frame_shape), bundle.dtype)
        super().__init__(worker, frames, tuple(np.zeros((rung, width), np.float32) for width in (3, 2, 2)))
        self.threads = []
        self._wait, self._took_s = threading.Event(), took_s

    def run(self):
        self.threads.append(threading.get_ident())
        self._wait.wait(self._took_s)


@pytest.mark.parametrize(("cores", "here"), [(FEW_CORES, True), (FEW_CORES + 1, False)])
def test_an_engine_looks_at_the_processors_it_may_use(toy_bundle, monkeypatch, cores, here):
    # What they are said to take lies far from both limits, however slow this machine is.
    monkeypatch.setattr("engines.backends._inline.BELOW_S", 0.001)
    monkeypatch.setattr("engines.backends._inline.CROWDED_BELOW_S", 10.0)
    monkeypatch.setattr("engines.backends._ladder_engine.cores", lambda: tuple(range(cores)))
    worker = Worker("timed")
    lanes = {rung: [Timed(worker, rung, toy_bundle, 0.02)] for rung in (1, 4)}
    engine = LadderEngine(toy_bundle, "timed", lanes)
    engine.warm(1)
    for rung in (1, 4):
        engine.submit(toy_frames(np.zeros(rung, int)))
        assert engine.collect(30) is not None
    assert (lanes[1][0].threads[-1] == threading.get_ident()) is here
    assert lanes[4][0].threads[-1] != threading.get_ident()
    engine.close()
    worker.close()
