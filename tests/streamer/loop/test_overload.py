"""While more comes than can go: what is shed, what goes, and that the engine keeps doing full batches."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.ingest import SlotPool, WaitingLine
from streamer.loop import _dispatch
from streamer.loop._dispatch import BRINK, Dispatch
from streamer.loop._rung_times import RungTimes
from streamer.vocabulary import Reason

NOW = 10**12
MS = 1_000_000
LADDER = {1: 0.001, 2: 0.0012, 4: 0.0016, 8: 0.0024}
"""Seconds by rung: a batch of 8 takes as long as 2.4 batches of one."""
BUDGET_MS = 20


class House:
    """A dispatcher whose clock stands still, with cells waiting that have so many milliseconds left."""

    def __init__(self, monkeypatch, left_ms):
        self.shed = []
        monkeypatch.setattr(_dispatch, "time", SimpleNamespace(monotonic_ns=lambda: NOW))
        monkeypatch.setattr(_dispatch, "settle_unclassified", self._settle)
        pool, waiting = SlotPool(256, (1, 1, 1), np.dtype("uint8")), WaitingLine(256)
        slots = pool.acquire(len(left_ms))
        pool.facts["seq"][slots] = np.arange(len(left_ms))
        pool.facts["deadline_ns"][slots] = [NOW + int(left * MS) for left in left_ms]
        waiting.push(slots)
        self.sent = []
        engine = SimpleNamespace(
            capacity=1,
            ready=True,
            take=lambda n: max(rung for rung in LADDER if rung <= n),
            submit=lambda frames: self.sent.append(len(frames)),
        )
        config = SimpleNamespace(
            timing=SimpleNamespace(publish_margin_us=0.0), engine=SimpleNamespace(patience_s=1.0, faults_in_a_row=3)
        )
        self.series = SimpleNamespace(deadline_after_ns=BUDGET_MS * MS)
        self.live = SimpleNamespace(
            config=config, engine=engine, pool=pool, waiting=waiting, batches=deque(), series=self.series
        )
        self.dispatch = Dispatch(self.live, LADDER)

    def _settle(self, live, series, facts, reason):
        assert reason is Reason.LATE
        self.shed += facts["seq"].tolist()

    def start(self):
        """Start one batch; return the seqs in it."""
        self.dispatch.start()
        if not self.live.batches:
            return []
        return self.live.pool.facts["seq"][self.live.batches[-1].slots].tolist()


def test_a_small_batch_saves_who_has_little_left_where_nobody_else_is_the_worse(monkeypatch):
    house = House(monkeypatch, [1.1, 15, 15, 15])
    assert house.start() == [0]
    assert house.shed == []


def test_where_every_cell_has_little_left_the_batch_is_full(monkeypatch):
    """One cell after the other would save each in its turn, and all that come after it would be lost."""
    house = House(monkeypatch, [1.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5])
    assert house.start() == [1, 2, 3, 4]
    assert house.shed == [0]


def test_of_too_many_those_with_the_least_time_left_are_shed(monkeypatch):
    left_ms = np.linspace(3, 12, 100)
    house = House(monkeypatch, left_ms)
    batch = house.start()
    assert len(batch) == 8
    assert house.shed == list(range(len(house.shed)))
    assert left_ms[batch[0]] >= LADDER[8] * 1e3 + BUDGET_MS / BRINK


def test_of_many_that_can_all_be_served_none_is_shed(monkeypatch):
    house = House(monkeypatch, [3.0 + 2.4 * (place // 8) for place in range(64)])
    assert house.start() == list(range(8))
    assert house.shed == []


def test_who_moves_up_where_others_are_shed_must_have_time_as_well(monkeypatch):
    house = House(monkeypatch, [3, 3, 3, 3, 3, 1, 3, 3, 5, 5, 1])
    assert house.start() == [2, 3, 4, 6]
    assert house.shed == [0, 1, 5, 10]


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.floats(-5, 30), min_size=1, max_size=60))
def test_what_goes_can_be_in_time_and_nothing_is_lost_count_of(left_ms):
    with pytest.MonkeyPatch.context() as monkeypatch:
        house = House(monkeypatch, left_ms)
        batch = house.start()
        waiting = house.live.pool.facts["seq"][house.live.waiting.peek(100)].tolist()
        assert sorted([*batch, *house.shed, *waiting]) == list(range(len(left_ms)))
        if batch:
            took_ms = LADDER[max(rung for rung in LADDER if rung <= len(batch))] * 1e3
            assert min(left_ms[seq] for seq in batch) >= took_ms - 1e-3
        else:
            assert all(left < 1.0 for left in left_ms)
        assert {seq for seq, left in enumerate(left_ms) if left < 1.0 - 1e-3} <= set(house.shed)


def test_a_rung_that_is_slow_does_not_make_the_others_look_slow():
    times = RungTimes(LADDER)
    for _ in range(50):
        times.follow(1, 0.02)
    assert times.of(1) == pytest.approx(20 * MS, rel=0.01)
    assert times.of(8) == pytest.approx(2.4 * MS)
    for _ in range(500):
        times.recover()
    assert times.of(1) == pytest.approx(1 * MS)
