"""The same sort over a range of one of its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from engines.errors import InputError
from streamer.decision.windows import SortRule
from streamer.sortsim._setting import Setting

MAX_POINTS = 200


@dataclass(frozen=True)
class Sweep:
    """Which setting is varied, over which values; windows in microseconds."""

    name: str
    values: tuple[float, ...]
    settings: tuple[Setting, ...]

    def __iter__(self) -> Iterator[tuple[float, Setting]]:
        return iter(zip(self.values, self.settings, strict=True))


def parse_sweep(text: str, base: Setting, window: Callable[[str], SortRule], source: str = "simulate-sort") -> Sweep:
    """Read `window=50us:500us:10`, `rate=500:10000:12` or `wanted=0.01:0.5:8`: from, to, and how many, evenly.

    `window` makes a rule of a window's text.
    """
    name, _, rest = text.partition("=")
    parts = rest.split(":")
    expected = "window=50us:500us:10, or rate=… or wanted=… in the same way, 2 to 200 values"
    wrong = InputError(source, "--sweep", text, expected)
    if name not in ("window", "rate", "wanted") or len(parts) != 3:
        raise wrong
    try:
        count = int(parts[2])
        ends = [] if name == "window" else [float(parts[0]), float(parts[1])]
    except ValueError:
        raise wrong from None
    if not (2 <= count <= MAX_POINTS and np.isfinite(ends).all()):
        raise wrong
    if name == "window":
        first, last = window(parts[0]), window(parts[1])
        steps = np.linspace(0, 1, count)
        rules = [_between(first, last, float(step)) for step in steps]
        settings = [replace(base, rule=rule) for rule in rules]
        values = [rule.span_ns / 1e3 for rule in rules]
    else:
        values = np.linspace(ends[0], ends[1], count).tolist()
        settings = [replace(base, **{name: value}) for value in values]
    for setting in settings:
        setting.check(source)
    return Sweep(name, tuple(values), tuple(settings))


def _between(first: SortRule, last: SortRule, share: float) -> SortRule:
    def mixed(a: int, b: int) -> int:
        return round(a + (b - a) * share)

    return SortRule(first.mode, mixed(first.leading_ns, last.leading_ns), mixed(first.trailing_ns, last.trailing_ns))
