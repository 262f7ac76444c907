"""A soak, seconds long: its account adds up, memory is that of the streamer, and its figures can be shown."""

import os

import pytest

from bench import soak
from bench.subject import Options
from engines.errors import CellgateError


def test_a_short_soak_says_all_that_a_long_one_does(monkeypatch):
    monkeypatch.setattr(soak, "FLAT_OUT_S", 0.3)
    said = []
    found = soak.measure(Options(), said.append, minutes=0.05, load=0.2)
    assert found["account_errors"] == []
    assert found["sent"] == found["decided"] + found["missing"]
    assert found["kept_late"] == 0
    assert found["sort_delay_us"] == pytest.approx(max(20_000.0, 4 * 32 / found["flat_out_cells_per_s"] * 1e6), abs=0.1)
    assert len(found["parts"]) == soak.PARTS
    assert found["p99_last_over_first"] == pytest.approx(found["p99_last_us"] / found["p99_first_us"], abs=0.01)
    assert min(found["rss_mib"]) > 20
    assert found["rss_growth"] >= 0
    assert len(found["cpu_us_per_cell"]) == soak.PARTS
    assert min(found["cpu_us_per_cell"]) > 0
    assert found["cpu_last_over_first"] > 0
    assert str(soak.tables(found)[0].title).startswith("0.05 minutes at")
    assert said


def test_memory_is_that_of_the_process_asked_for():
    assert soak.resident_mib(os.getpid()) > 5
    with pytest.raises(CellgateError, match="process 4194305 is gone"):
        soak.resident_mib(4_194_305)
