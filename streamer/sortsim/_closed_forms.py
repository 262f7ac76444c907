"""What an ideal Poisson stream gives, in closed form.

Words: λ rate, w = a + b window (leading a, trailing b), f wanted fraction, s sensitivity, and
g = f s + (1 − f)(1 − specificity) the fraction called wanted. Calls are independent from cell to cell, so cells called
wanted and cells called unwanted are independent Poisson streams of rates λg and λ(1 − g), and every form for a perfect
classifier (s = 1, g = f) holds for an imperfect one with the calls in the place of the truth.

- P(another cell in the window) = 1 − e^(−λw), for every cell.
- P(kept | called wanted): yield 1; purity e^(−λ(1−g)w), no cell called unwanted in the window; single e^(−λw).
- Caught is every cell in the span of one that is kept. In *single* mode those kept alone. In *yield* mode a cell called
  unwanted is caught if one called wanted lies within the window about it: q = 1 − e^(−λgw). In *purity* mode a span
  holds nothing called unwanted, but it can hold a cell called wanted that was itself aborted for what lies beyond. Let
  x be the distance to the nearest cell called unwanted before it, and y after it (exponential, μ = λ(1 − g)). Such
  cell has x ≤ a or y ≤ b, and is caught if a cell called wanted lies where its own window fits into the gap. Over x
  and y the integral is μ g e^(−μw) (w − (2 − e^(−λa) − e^(−λb)) / λ); kept by itself it is with e^(−μw).
"""

from __future__ import annotations

import math

from streamer.decision.windows import Mode
from streamer.sortsim._setting import Setting


def predict(setting: Setting) -> dict[str, float]:
    """Return the figures of the setting's stream and classifier with an ideal sorter.

    Ideal: no jitter, no dead time, no target, every verdict in time. `yield` counts decisions, `recovery` what is
    caught, see `Figures`. The form in use for enrichment without masks, f / (f + (1 − f)λw), is the limit of `purity`
    in yield mode for a small window if λ in it is the rate of the *wanted* cells, which fire the windows.
    """
    rate = setting.rate * 1e-9
    a, w = setting.rule.leading_ns, setting.rule.span_ns
    f, s = setting.wanted, setting.sensitivity
    g = f * s + (1 - f) * (1 - setting.specificity)
    mu = rate * (1 - g)
    caught_unwanted = 0.0
    if setting.mode is Mode.YIELD:
        kept = caught = 1.0
        caught_unwanted = -math.expm1(-rate * g * w)
    elif setting.mode is Mode.SINGLE:
        kept = caught = math.exp(-rate * w)
    else:
        kept = math.exp(-mu * w)
        edges = -(math.expm1(-rate * a) + math.expm1(-rate * (w - a))) / rate
        caught = kept * (1 + mu * g * (w - edges))
    wanted_caught = f * (s * caught + (1 - s) * caught_unwanted)
    all_caught = g * caught + (1 - g) * caught_unwanted
    return {
        "coincidence": -math.expm1(-rate * w),
        "yield": s * kept,
        "recovery": wanted_caught / f if f else math.nan,
        "purity": wanted_caught / all_caught if all_caught else math.nan,
        "abort_rate": 1 - kept,
        "sort_rate": setting.rate * g * kept,
        "sorted_per_s": setting.rate * all_caught,
    }
