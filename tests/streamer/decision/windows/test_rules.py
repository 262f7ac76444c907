"""Windows in time and in drops, and what is refused."""

import re

import pytest

from engines.errors import InputError
from streamer.decision.windows import Mode, SortRule, Timing, check_rule, in_drops, in_time


def test_windows_in_time_are_nanoseconds_rounded_up():
    assert in_time(Mode.PURITY, 50.0, 100.0) == SortRule(Mode.PURITY, 50_000, 100_000)
    assert in_time(Mode.PURITY, 0.1 + 0.2, 0.0005).trailing_ns == 1
    assert in_time(Mode.PURITY, 0.1 + 0.2, 0).leading_ns == 300
    assert in_time(Mode.YIELD, 1, 2).span_ns == 3000


def test_windows_in_drops_are_steps_of_a_thirty_second():
    assert in_drops(Mode.SINGLE, 1.0, 1.5, 100_000) == SortRule(Mode.SINGLE, 10_000, 15_000)
    assert in_drops(Mode.SINGLE, 1 / 32, 0, 32_000).leading_ns == 977  # 976.5625 up
    with pytest.raises(
        InputError, match=re.escape("gate: trailing_drops: found 0.01, expected a whole number of 1/32")
    ):
        in_drops(Mode.SINGLE, 1, 0.01, 1000, "gate")


@pytest.mark.parametrize("part", [-1, float("nan"), float("inf"), 61e6])
def test_a_part_that_is_no_span_is_refused(part):
    with pytest.raises(InputError, match="leading_us"):
        in_time(Mode.PURITY, part, 0)
    with pytest.raises(InputError, match="trailing_drops"):
        in_drops(Mode.PURITY, 0, part, 0.5)


@pytest.mark.parametrize("frequency", [0, -1, float("nan"), float("inf")])
def test_a_drop_frequency_must_be_one(frequency):
    with pytest.raises(InputError, match="drop_frequency_hz"):
        in_drops(Mode.PURITY, 1, 1, frequency)


def test_a_window_longer_than_the_sort_delay_is_refused_naming_way_and_field():
    rule, timing = in_time(Mode.PURITY, 0, 500), Timing(margin_ns=100_000, ahead_ns=50_000, transport_ns=50_000)
    check_rule(rule, timing, 801, 100, "config", "left")
    expected = "config: way left: trailing window: found 500 µs, expected below 500 µs"
    with pytest.raises(InputError, match=re.escape(expected)):
        check_rule(rule, timing, 800, 100, "config", "left")
    check_rule(rule, timing, None, 0, "config", "left")
    check_rule(in_time(Mode.YIELD, 0, 500), timing, 400, 0, "config", "left")
