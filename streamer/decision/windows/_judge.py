"""The fate of wanted cells, given what is known now. The rules stand here, and nowhere else.

Twice, as they read best and run fastest: `judge_few` cell by cell for the small batches of light load, `judge_many` all
at once. Tests hold both against a third that sees every cell at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from streamer.decision.windows._rules import Mode, SortRule, Timing
from streamer.decision.windows._table import LONG_AGO, UNDECIDED, CellTable

NEVER = 2**63 - 1
WAITS = 255
"""Not a fate: the cell's fate is still open."""


class Fate(IntEnum):
    """What became of a cell."""

    KEEP = 0
    UNWANTED = 1
    """Its own verdict sent it to waste; the reason is its own too."""
    COINCIDENT = 2
    """Wanted, but lost to a neighbour, or to one that was undecided when the deadline came."""
    LATE = 3
    """Wanted, but it was too late to say so."""


class Rules:
    """The rules of all ways as columns over the way's code; way 0 has none."""

    def __init__(self, rules: Sequence[SortRule], timing: Timing) -> None:
        padded = (SortRule(Mode.YIELD, 0, 0), *rules)
        self.timing = timing
        self.modes = [rule.mode for rule in padded]
        self.leading = [rule.leading_ns for rule in padded]
        self.trailing = [rule.trailing_ns for rule in padded]
        self.is_yield = np.array([mode is Mode.YIELD for mode in self.modes])
        self.is_single = np.array([mode is Mode.SINGLE for mode in self.modes])
        self.leading_of = np.array(self.leading, np.int64)
        self.trailing_of = np.array(self.trailing, np.int64)
        self.codes = np.arange(UNDECIDED, len(padded), dtype=np.int8)


class Judgement(NamedTuple):
    """`fates` of the cells asked about, and when to ask again about those that wait; `NEVER` if none does."""

    fates: list[int]
    due_ns: int


def judge_few(table: CellTable, rules: Rules, where: list[int], now_ns: int) -> Judgement:
    """Judge the cells at these indices of the table one by one."""
    due = NEVER
    fates = []
    for index in where:
        fate, asked = _judge_one(table, rules, index, now_ns)
        fates.append(fate)
        due = min(due, asked)
    return Judgement(fates, due)


def _judge_one(table: CellTable, rules: Rules, index: int, now_ns: int) -> tuple[int, int]:
    timing = rules.timing
    triggers, ways = table.triggers, table.ways
    last_moment = table.deadlines[index] - timing.margin_ns
    if now_ns > last_moment:
        return Fate.LATE, NEVER
    way = ways[index]
    mode = rules.modes[way]
    if mode is Mode.YIELD:
        return Fate.KEEP, NEVER
    trigger = triggers[index]
    low, high = trigger - rules.leading[way], trigger + rules.trailing[way]
    single = mode is Mode.SINGLE
    undecided = False
    for step in (-1, 1):
        other = index + step
        while 0 <= other < table.end and low <= triggers[other] <= high:
            its = ways[other]
            if single or (its != way and its != UNDECIDED):
                return Fate.COINCIDENT, NEVER
            undecided = undecided or its == UNDECIDED
            other += step
    # A cell so late that its neighbours may have been forgotten cannot be called alone.
    if low <= table.forgotten_ns:
        return Fate.COINCIDENT, NEVER
    # `<`: a cell that is still to come may be triggered at closed_ns itself, and the edge is inside.
    closed = high < table.closed_ns
    if closed and not undecided:
        return Fate.KEEP, NEVER
    forced = last_moment - timing.ahead_ns
    if now_ns >= forced:
        return Fate.COINCIDENT, NEVER
    return WAITS, forced if undecided else min(forced, high + timing.transport_ns + 1)


def judge_many(table: CellTable, rules: Rules, where: list[int], now_ns: int) -> Judgement:
    """Judge the cells at these indices of the table all at once."""
    timing = rules.timing
    at = np.array(where, np.intp)
    way = table.way[at]
    trigger = table.trigger[at]
    low, high = trigger - rules.leading_of[way], trigger + rules.trailing_of[way]
    known = table.trigger[: table.end]
    begin, end = known.searchsorted(low, "left"), known.searchsorted(high, "right")
    first, last = int(begin.min()), int(end.max())
    # How many cells of each code lie before each position: differences count those in a window.
    before = np.zeros((last - first + 1, len(rules.codes)), np.int32)
    np.cumsum(table.way[first:last, None] == rules.codes, axis=0, out=before[1:])
    begin, end = begin - first, end - first
    undecided = before[end, 0] > before[begin, 0]
    same = before[end, way + 1] - before[begin, way + 1]
    undecided_or_same = before[end, 0] - before[begin, 0] + same
    others = np.where(rules.is_single[way], 1, undecided_or_same)
    crowded = (end - begin > others) | (low <= table.forgotten_ns)
    clear = ~undecided & (high < table.closed_ns)
    last_moment = table.deadline[at] - timing.margin_ns
    forced = last_moment - timing.ahead_ns
    waits = ~crowded & ~clear & (now_ns < forced)
    # From the last rule to the first, so that the first that holds is what stays.
    fates = np.full(len(at), Fate.COINCIDENT, np.uint8)
    fates[waits] = WAITS
    fates[clear & ~crowded] = Fate.KEEP
    fates[rules.is_yield[way]] = Fate.KEEP
    fates[now_ns > last_moment] = Fate.LATE
    open_ = fates == WAITS
    due = NEVER
    if open_.any():
        asked = np.where(undecided, forced, np.minimum(forced, high + (timing.transport_ns + 1)))
        due = int(asked[open_].min())
    return Judgement(fates.tolist(), due)


def closed_before(high_ns: int, now_ns: int, timing: Timing) -> int:
    """Return the time before which no cell is to come, by what has arrived and by the clock."""
    by_stream = LONG_AGO if high_ns == LONG_AGO else high_ns - timing.reorder_ns
    return max(by_stream, now_ns - timing.transport_ns)
