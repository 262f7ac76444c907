"""The parts of the simulator against plain versions of themselves."""

import numpy as np
import pytest

from engines.errors import InputError
from streamer.decision.windows import AtTarget, Mode, SortRule, Target
from streamer.sortsim import Setting, parse_latency, simulate
from streamer.sortsim._caught import caught, coincident
from streamer.sortsim._decide import COINCIDENT, HARDWARE_ABORT, KEPT, LATE, REASONS, UNWANTED, decide_stream
from streamer.sortsim._figures import ratio
from streamer.sortsim._latency import LogNormal
from streamer.sortsim._stream import draw_stream

RULE = SortRule(Mode.PURITY, 60_000, 90_000)


def setting(**more):
    return Setting(**{"rate": 20_000.0, "wanted": 0.5, "rule": RULE, "cells": 3000, **more})


def moment_by_moment(how, stream):
    """Return the fate of each cell by looking at each at its own last moment, from the definitions alone."""
    after = how.deadline_after_ns - how.margin_ns
    fates = []
    for i, t in enumerate(stream.trigger):
        if not stream.called[i]:
            fates.append(UNWANTED)
        elif stream.verdict[i] > t + after:
            fates.append(LATE)
        else:
            others = [j for j in range(max(0, i - 60), min(i + 61, how.cells)) if j != i]
            inside = [j for j in others if t - how.rule.leading_ns <= stream.trigger[j] <= t + how.rule.trailing_ns]
            wanted_in_time = all(
                stream.called[j] and stream.in_time[j] and stream.verdict[j] <= t + after for j in inside
            )
            fates.append(KEPT if wanted_in_time else COINCIDENT)
    return fates


@pytest.mark.parametrize("p99", [1e6, 3e6])
@pytest.mark.parametrize("wanted", [0.5, 0.97])
def test_deadlines_force_cells_at_their_own_last_moment(p99, wanted):
    how = setting(sort_delay_ns=1_100_000, lead_ns=50_000, margin_ns=50_000, latency=LogNormal(6e5, p99), wanted=wanted)
    stream = draw_stream(how, np.random.default_rng(3))
    expected = moment_by_moment(how, stream)
    assert decide_stream(how, stream).tolist() == expected
    # The case is worth its name: without deadlines a neighbour's verdict would have saved some.
    assert LATE in expected


def test_jitter_costs_purity_and_recovery():
    sparse = {"cells": 100_000, "rate": 1000.0}
    still = simulate(setting(**sparse))
    for jitter in ({"actuation_jitter_ns": 40_000.0}, {"trigger_jitter_ns": 40_000.0}):
        shaken = simulate(setting(**sparse, **jitter))
        assert still.purity == 1 > shaken.purity
        assert shaken.recovery < still.recovery
        assert not shaken.ideal


def test_dead_time_and_targets_abort_with_reasons_of_their_own():
    figures = simulate(setting(rule=SortRule(Mode.YIELD, 0, 0), target=Target(dead_time_ns=50_000)))
    assert figures.aborted["hardware_abort"] > 0 == figures.aborted["coincident"]
    # Pulses spaced by at least d out of a Poisson stream of rate r: one of 1 + r d gets through.
    assert 1 - figures.aborts["hardware_abort"] == pytest.approx(1 / (1 + 10_000 * 50e-6), abs=0.03)
    figures = simulate(setting(target=Target(100, AtTarget.STOP)))
    assert figures.aborted["target_reached"] > 0
    assert figures.sort_rate * figures.seconds == pytest.approx(100)
    assert REASONS[HARDWARE_ABORT] == "hardware_abort"


def test_the_account_of_cells_called_wanted_adds_up():
    figures = simulate(setting(sort_delay_ns=1_000_000, latency=LogNormal(6e5, 2e6), target=Target(per_second=3000)))
    called = sum(figures.aborted.values()) + figures.sort_rate * figures.seconds
    assert sum(figures.aborts.values()) == pytest.approx(figures.abort_rate)
    assert sum(figures.aborted.values()) == pytest.approx(figures.abort_rate * called)


def test_the_same_seed_gives_the_same_figures_and_another_others():
    assert simulate(setting()) == simulate(setting())
    assert simulate(setting()) != simulate(setting(seed=1))


def test_caught_is_whoever_lies_in_a_span_about_a_kept_cell():
    rng = np.random.default_rng(0)
    rule = SortRule(Mode.PURITY, 3, 5)
    for _ in range(200):
        position, actuated = rng.integers(0, 60, 12), rng.integers(0, 60, rng.integers(0, 6))
        expected = [any(k - 3 <= x <= k + 5 for k in actuated) for x in position]
        assert caught(position, actuated, rule).tolist() == expected
        trigger = np.sort(position)
        crowd = [sum(t - 3 <= x <= t + 5 for x in trigger) > 1 for t in trigger]
        assert coincident(trigger, rule).tolist() == crowd


def test_standard_errors_cover_what_they_should():
    rng = np.random.default_rng(0)
    values, errors = zip(*(ratio(rng.random(2000) < 0.3, np.ones(2000)) for _ in range(400)), strict=True)
    assert np.std(values) == pytest.approx(np.sqrt(0.3 * 0.7 / 2000), rel=0.1)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)
    assert ratio(np.ones(3), np.zeros(3)) == (None, None)
    assert ratio(np.ones(1), np.ones(1)) == (1.0, None)


def test_progress_ends_with_the_last_cell():
    told = []
    simulate(setting(cells=10_000), told.append)
    assert told == sorted(told)
    assert told[-1] == 10_000


@pytest.mark.parametrize("text", ["600us", "constant:0.6ms"])
def test_a_constant_latency_is_always_the_same(text):
    assert parse_latency(text).draw(np.random.default_rng(0), 3).tolist() == [6e5] * 3


def test_a_lognormal_latency_has_its_median_and_99_percent():
    drawn = parse_latency("lognormal:1ms:5ms").draw(np.random.default_rng(0), 200_000)
    assert np.percentile(drawn, [50, 99]) == pytest.approx([1e6, 5e6], rel=0.02)


def test_latencies_of_a_file_are_drawn_from_it(tmp_path):
    (tmp_path / "some.txt").write_text("100\n200.5\n")
    np.save(tmp_path / "some.npy", np.array([100, 200.5], np.float32))
    for name in ("some.txt", "some.npy"):
        drawn = parse_latency(str(tmp_path / name)).draw(np.random.default_rng(0), 100)
        assert set(drawn) == {100_000, 200_500}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"rate": 0.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": 1e-9}, "cells / rate"),
        ({"wanted": 1.5}, "wanted"),
        ({"wanted": float("nan")}, "wanted"),
        ({"cells": 0}, "cells"),
        ({"seed": -1}, "seed"),
        ({"sensitivity": -0.1}, "sensitivity"),
        ({"trigger_jitter_ns": -1.0}, "trigger jitter"),
        ({"sort_delay_ns": 90_000}, "trailing window"),
        ({"sort_delay_ns": 500, "lead_ns": 500}, "sort delay"),
        ({"target": Target(0)}, "way wanted: count"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(more, field):
    with pytest.raises(InputError, match=field):
        simulate(setting(**more))
