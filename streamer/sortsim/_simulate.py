"""One simulated sort, from stream to figures."""

from __future__ import annotations

import math

import numpy as np

from streamer.sortsim._caught import caught, coincident
from streamer.sortsim._closed_forms import predict
from streamer.sortsim._decide import COINCIDENT, KEPT, REASONS, Progress, decide_stream
from streamer.sortsim._figures import Figures, ratio
from streamer.sortsim._setting import Setting
from streamer.sortsim._stream import draw_stream


def simulate(setting: Setting, on_progress: Progress | None = None) -> Figures:
    """Simulate a sort and measure it; the same setting gives the same figures.

    Parameters
    ----------
    on_progress
        Called now and then with the number of cells that have passed.

    Raises
    ------
    InputError
        The setting cannot be simulated.
    """
    setting.check()
    rng = np.random.default_rng(setting.seed)
    stream = draw_stream(setting, rng)
    fate = decide_stream(setting, stream, on_progress)
    kept = fate == KEPT
    actuated = stream.trigger[kept]
    if setting.actuation_jitter_ns:
        actuated = actuated + np.rint(rng.normal(0, setting.actuation_jitter_ns, len(actuated))).astype(np.int64)
    taken = caught(stream.position, actuated, setting.rule)
    one = np.ones(len(fate))
    seconds = np.diff(stream.trigger, prepend=0) * 1e-9
    measured = {
        "coincidence": ratio(coincident(stream.trigger, setting.rule), one),
        "yield": ratio(kept & stream.wanted, stream.wanted),
        "recovery": ratio(taken & stream.wanted, stream.wanted),
        "purity": ratio(taken & stream.wanted, taken),
        "abort_rate": ratio(stream.called & ~kept, stream.called),
        "sort_rate": ratio(kept, seconds),
        "sorted_per_s": ratio(taken, seconds),
    }
    values = {name: value for name, (value, _) in measured.items()}
    aborted = {REASONS[code]: int((fate == code).sum()) for code in range(COINCIDENT, len(REASONS))}
    called = max(1, int(stream.called.sum()))
    return Figures(
        cells=setting.cells,
        seconds=float(seconds.sum()),
        yield_=values.pop("yield"),
        **values,
        aborts={name: count / called for name, count in aborted.items()},
        aborted=aborted,
        standard_errors={name: error for name, (_, error) in measured.items()},
        predicted={name: value if math.isfinite(value) else None for name, value in predict(setting).items()},
        ideal=setting.ideal,
        setting=_describe(setting),
    )


def _describe(setting: Setting) -> dict[str, object]:
    return {
        "rate": setting.rate,
        "wanted": setting.wanted,
        "mode": setting.mode.value,
        "leading_us": setting.rule.leading_ns / 1e3,
        "trailing_us": setting.rule.trailing_ns / 1e3,
        "sensitivity": setting.sensitivity,
        "specificity": setting.specificity,
        "sort_delay_us": None if setting.sort_delay_ns is None else setting.sort_delay_ns / 1e3,
        "actuation_lead_us": setting.lead_ns / 1e3,
        "publish_margin_us": setting.margin_ns / 1e3,
        "trigger_jitter_us": setting.trigger_jitter_ns / 1e3,
        "actuation_jitter_us": setting.actuation_jitter_ns / 1e3,
        "dead_time_us": setting.target.dead_time_ns / 1e3,
        "seed": setting.seed,
    }
