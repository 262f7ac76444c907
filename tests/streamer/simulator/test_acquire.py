"""An acquisition is played as planned: every cell in its turn, at its time, with the plan's trigger times."""

import time

import numpy as np
import pytest

from engines.cells import Cells
from engines.errors import CellgateError
from streamer.simulator import Acquisition, Faults, Plan, acquire, make_plan
from streamer.vocabulary import Account
from streamer.wire import Totals

FRAMES = np.arange(6, dtype=np.uint16)[:, None, None, None] * np.ones((1, 3, 2, 2), np.uint16)
CELLS = Cells("/data/somewhere/cells.npz", FRAMES, ("a", "b", "c"))


class Recorder:
    """Stands in for a sender; keeps what it is given."""

    def __init__(self):
        self.started, self.made, self.sent, self.sent_at, self.ended = [], [], [], [], []

    def start(self, series, schema, **options):
        self.started.append((series, schema, options))

    def parts(self, frames, ticks, seq):
        self.made.append((frames.copy(), ticks.copy(), seq))
        return [b"header %d" % seq, frames.tobytes()]

    def send_parts(self, parts):
        self.sent.append(parts)
        self.sent_at.append(time.monotonic_ns())

    def beat(self, *, now=False):
        pass

    def end(self, *, last_seq):
        self.ended.append(last_seq)
        return Totals("s", "end", Account(), 0, "")


def play(plan, **how):
    recorder = Recorder()
    return recorder, acquire(recorder, CELLS, plan, Acquisition("s", **how))


PLAN = make_plan(6, rate=2000, seconds=0.02, arrivals="even", seed=1)


@pytest.mark.parametrize("per_message", [1, 3, 7, 1000])
def test_every_cell_is_sent_once_in_the_order_of_the_plan(per_message):
    recorder, report = play(PLAN, per_message=per_message)
    seqs = [seq for _, _, seq in recorder.made]
    assert seqs == list(range(0, 40, per_message))
    assert len(recorder.sent) == len(seqs) == report.messages
    frames = np.concatenate([frames for frames, _, _ in recorder.made])
    assert np.array_equal(frames, FRAMES[PLAN.cell])
    assert recorder.ended == [39]
    assert (report.cells, report.series, report.bytes) == (40, "s", 40 * FRAMES[0].nbytes)
    assert report.faults == report.expected_rejections == {}


def test_trigger_times_are_the_planned_ones_and_no_message_is_early():
    recorder, report = play(PLAN, per_message=4)
    ticks = np.concatenate([ticks for _, ticks, _ in recorder.made]).astype(np.int64)
    assert (ticks - ticks[0]).tolist() == PLAN.trigger_ns.tolist()
    due = ticks.reshape(-1, 4)[:, -1]
    assert (np.array(recorder.sent_at) >= due).all()
    assert min(report.lateness_us.values()) >= 0


def test_the_series_is_opened_with_what_the_cells_are():
    recorder, _ = play(PLAN, sort_delay_us=5e4, actuation_lead_us=2.0, checksum="crc32", info={"who": "me"})
    ((series, schema, options),) = recorder.started
    assert (series, schema.channels, schema.dtype, schema.shape) == ("s", ("a", "b", "c"), "uint16", (2, 2))
    assert (schema.timebase, schema.checksum) == ((1, 10**9), "crc32")
    assert (options["sort_delay_us"], options["actuation_lead_us"]) == (5e4, 2.0)
    assert options["info"] == {"cells": "cells.npz", "who": "me"}, "the name of the file, not where it lies"


def test_channels_may_be_chosen():
    recorder, _ = play(PLAN, channels=("c", "a"), per_message=40)
    assert recorder.started[0][1].channels == ("c", "a")
    assert recorder.made[0][0].shape == (40, 2, 2, 2)


def test_a_channel_the_cells_lack_is_refused_before_the_series_is_opened():
    recorder = Recorder()
    with pytest.raises(CellgateError, match="nope"):
        acquire(recorder, CELLS, PLAN, Acquisition("s", channels=("a", "nope")))
    assert recorder.started == []


def test_faults_are_reported_and_none_is_held_back_at_the_end():
    recorder, report = play(PLAN, faults=Faults(reorder=1))
    assert [int(parts[0].split()[1]) for parts in recorder.sent[:4]] == [1, 0, 3, 2]
    assert len(recorder.sent) == report.messages == 40
    assert report.faults == {"reordered": 20}
    recorder, report = play(PLAN, faults=Faults(drop=1))
    assert recorder.sent == []
    assert report.faults == {"dropped": 40}
    assert recorder.ended == [39], "what was lost on the way was sent all the same"


def test_stopping_ends_the_series_with_what_was_sent():
    recorder = Recorder()
    how = Acquisition("s", stop=lambda: len(recorder.sent) == 5)
    report = acquire(recorder, CELLS, PLAN, how)
    assert len(recorder.sent) == report.cells == 5
    assert recorder.ended == [4]


def test_an_empty_plan_is_an_empty_series():
    recorder, report = play(Plan(np.zeros(0, np.intp), np.zeros(0, np.int64)))
    assert recorder.sent == []
    assert recorder.ended == [-1]
    assert (report.cells, report.lateness_us) == (0, {})


def test_progress_ends_with_all_cells():
    told = []
    play(PLAN, on_progress=told.append)
    assert told[-1] == 40
    assert told == sorted(told)
