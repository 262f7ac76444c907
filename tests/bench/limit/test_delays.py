"""How late a machine is by itself: that it is measured, and that a process which fails is told of."""

import os
import subprocess
import sys

import pytest

from bench.limit import _delays, measure_delays
from engines.errors import CellgateError


def test_every_delay_is_measured_and_the_affinity_is_as_before():
    before = os.sched_getaffinity(0)
    found = measure_delays(0.4)
    assert os.sched_getaffinity(0) == before
    assert 0 <= found.stopped_share < 1
    assert found.stopped_longest_us >= 0 and found.stops_per_s >= 0
    for late in (found.timer_us, found.wake_us):
        assert 0 < late["p50"] <= late["p90"] <= late["p99"] <= late["p999"] <= late["max"]
    assert found.wake_awake_us is None or found.wake_awake_us["p50"] > 0


def test_a_process_that_measures_and_fails_is_told_of():
    with pytest.raises(CellgateError, match="a failure"):
        _delays._finish([_failing()])


def _failing() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.exit('a failure')"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
