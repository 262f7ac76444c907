from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from streamer.observer import render
from streamer.observer._format import clock, maximum, printable, seconds
from streamer.observer._plain import plain_line
from streamer.wire import HistogramData, JournalHealth, RecordingHealth

WIDTHS = (40, 60, 80, 160)


def shown(snapshot, previous=None, *, age_s=0.2, width=80):
    console = Console(file=io.StringIO(), width=width, height=24, color_system=None, legacy_windows=False)
    console.print(render(snapshot, previous, age_s=age_s))
    return console.file.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
def test_it_renders_at_every_width(make_snapshot, width):
    now, before = make_snapshot(200), make_snapshot(198)
    for text in (shown(None, width=width), shown(now, width=width), shown(now, before, width=width)):
        assert all(len(line) <= width for line in text.splitlines())


def test_it_fits_a_small_screen(make_snapshot):
    mix = {f"class {i}": 100 - i for i in range(12)}
    text = shown(make_snapshot(200, class_mix=mix), make_snapshot(198))
    assert len(text.splitlines()) <= 24
    assert "9 more" in text


def test_the_account_adds_up_in_sight(make_snapshot):
    text = shown(make_snapshot())
    assert "✓ sent    2,400,000 = decided 2,399,376 + pending 24 + missing 600" in text
    assert "✓ decided 2,399,376 = kept 189,552 + not kept 2,209,824" in text
    assert "✗" not in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("which", ["account", "lifetime"])
@pytest.mark.parametrize("term", ["sent", "received", "decided", "kept", "pending"])
def test_an_account_that_does_not_add_up_is_marked(make_snapshot, which, term, width):
    snapshot = make_snapshot()
    account = getattr(snapshot, which)
    setattr(account, term, getattr(account, term) - 1000)
    assert ("✗" in shown(snapshot, width=width)) == bool(account.balance())


def test_rates_and_latencies_are_of_the_time_between(make_snapshot):
    text = shown(make_snapshot(200), make_snapshot(198))
    assert "11,997" in text
    assert "329 µs" in text
    without = shown(make_snapshot(200))
    assert "–" in without


def test_a_snapshot_of_another_run_is_no_previous(make_snapshot):
    now = make_snapshot(200)
    for other in (make_snapshot(198, started_ns=1), make_snapshot(201), now):
        assert shown(now, other) == shown(now)


def test_silence_is_not_shown_as_armed(make_snapshot):
    assert "ARMED" in shown(make_snapshot())
    text = shown(make_snapshot(), age_s=12.0)
    assert "ARMED" not in text
    assert "NO SIGNAL" in text
    assert shown(make_snapshot(200), make_snapshot(198), age_s=12.0) == shown(make_snapshot(200), age_s=12.0)
    assert "received_per_s=- " in plain_line(make_snapshot(200), make_snapshot(198), age_s=12.0)
    assert "NO SIGNAL" in shown(None, age_s=math.inf)


def test_faults_are_shown(make_snapshot):
    text = shown(make_snapshot(journal=JournalHealth(handed=9, synced=3, dropped=2, fault="disk full")))
    assert "disk full" in text
    assert "dropped 2" in text
    assert "4 behind" in text
    assert "DISARMED" in shown(make_snapshot(state="disarmed"))


def test_a_recorder_is_shown_where_there_is_to_be_one(make_snapshot):
    told = RecordingHealth("all", "disk 2", offered=9, handed=6, skipped={"behind": 3}, recorded=4)
    text = shown(make_snapshot(recording=told), make_snapshot(198))
    assert "✓ recorder disk 2  frames recorded 4  skipped 3" in text
    assert len(text.splitlines()) <= 24
    assert "✗ recorder none" in shown(make_snapshot(recording=RecordingHealth("all", "")))
    assert "recorder" not in shown(make_snapshot())
    assert "frames_recorded=4 frames_skipped=3" in plain_line(make_snapshot(recording=told), None, age_s=0.1)


def test_between_series_and_before_any_cell(make_snapshot):
    empty = make_snapshot(0, series="", class_mix={}, histograms={}, ways={}, sort_delay_us=None, slots=0)
    text = shown(empty)
    assert "between series" in text
    assert "account of the last series" in text
    assert "none yet" in text


def test_names_cannot_command_the_terminal(make_snapshot):
    name = "\x1b[31m[bold]x\r\n"
    text = shown(make_snapshot(engine=name, bundle=name, class_mix={name: 1}, ways={name: 1}))
    assert "\x1b" not in text
    assert "[bold]x" in text


def test_numbers():
    values = (0, 4.4e-6, 4.1e-5, 9.996e-4, 4.12e-4, 0.0123, 9.996e-3, 3.5, 2000.0, -2.5e-4)
    texts = ["0 µs", "4.40 µs", "41.0 µs", "1.00 ms", "412 µs", "12.3 ms", "10.0 ms", "3.50 s", "2,000 s", "-250 µs"]
    assert [seconds(value) for value in values] == texts
    assert clock(3725.9) == "1:02:05"
    assert maximum(HistogramData((0.5,), (1, 2), 3.0)) == ">500 ms"
    assert maximum(HistogramData((0.5,), (1, 0), 3.0)) == "≤500 ms"
    assert printable("a" * 9, 5) == "aaaa…"


def test_plain_line(make_snapshot):
    line = plain_line(make_snapshot(200), make_snapshot(199), age_s=0.2)
    assert line.isascii()
    pairs = dict(pair.split("=", 1) for pair in line.split(" "))
    assert pairs["state"] == "armed"
    assert pairs["received_per_s"] == "11997"
    assert int(pairs["sent"]) == int(pairs["decided"]) + int(pairs["pending"]) + int(pairs["missing"])
    assert int(pairs["decided"]) == int(pairs["kept"]) + int(pairs["not_kept"])
    assert pairs["health"] == "ok"


def test_plain_line_of_trouble(make_snapshot):
    line = plain_line(make_snapshot(journal=JournalHealth(fault="disk\nfull")), None, age_s=30.0)
    assert "\n" not in line
    assert "state=unknown" in line
    assert 'health=failing reasons="the last snapshot is 30.0 s old; journal: disk?full"' in line
    assert plain_line(None, None, age_s=math.inf) == "state=unknown snapshot=none"
