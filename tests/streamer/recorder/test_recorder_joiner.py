"""Frames and decisions are brought together, whichever way they come, and memory is bounded."""

import numpy as np
import pytest

from streamer.recorder._joiner import Joiner

RECORD = np.dtype([("seq", "<u8"), ("x", "<i4")])
NOBODY, NOTHING = np.zeros(0, RECORD), (np.zeros(0, np.uint64), np.zeros((0, 1, 2, 2), np.uint16))


def records(*seqs):
    return np.array([(seq, -seq) for seq in seqs], RECORD)


def frames(*seqs):
    return np.array(seqs, np.uint64), np.array(seqs, np.uint16)[:, None, None, None] * np.ones((1, 2, 2), np.uint16)


def pairs(found):
    cells = [(int(r["seq"]), int(f[0, 0, 0])) for part in found for r, f in zip(part.records, part.frames, strict=True)]
    assert all(seq == value for seq, value in cells)
    return [seq for seq, _ in cells]


@pytest.mark.parametrize("order", [[3, 1, 2], [1, 2, 3]])
def test_decisions_find_frames_that_came_before_or_with_them(order):
    joiner = Joiner()
    assert pairs(joiner.join(records(1), *frames(1))) == [1]
    assert pairs(joiner.join(records(5), *frames(2, 5, 3))) == [5]
    assert pairs(joiner.join(NOBODY, *frames(1))) == []
    assert pairs(joiner.join(records(*order, 9), *NOTHING)) == order
    assert len(joiner) == 0
    assert joiner.dropped == 0


def test_of_too_many_the_oldest_go():
    joiner = Joiner(most_bytes=4 * 8)
    joiner.join(NOBODY, *frames(*range(10)))
    assert (len(joiner), joiner.dropped) == (4, 6)
    assert pairs(joiner.join(records(*range(10)), *NOTHING)) == [6, 7, 8, 9]
    joiner.join(NOBODY, *frames(11))
    joiner.give_up()
    assert (len(joiner), joiner.dropped) == (0, 7)
