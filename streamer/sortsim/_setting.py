"""What is simulated: the stream, the classifier, the sorter."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from engines.errors import InputError
from streamer.decision.windows import Mode, SortRule, Target, Timing, check_rule
from streamer.sortsim._latency import Constant, Latency

MAX_CELLS = 100_000_000


@dataclass(frozen=True)
class Setting:
    """A stream of cells and a sorter with one way. Times in nanoseconds.

    Attributes
    ----------
    rate
        Cells per second, a Poisson stream.
    wanted
        Fraction of cells that are truly wanted.
    rule
        Window and mode.
    sensitivity, specificity
        P(called wanted | wanted), P(called unwanted | unwanted), independent from cell to cell.
    latency
        From trigger to verdict.
    sort_delay_ns, lead_ns
        Deadline = trigger + sort delay − lead; without a sort delay nothing is late.
    margin_ns
        A decision must be made this long before the deadline.
    trigger_jitter_ns, actuation_jitter_ns
        Standard deviations (normal): measured − true trigger time, and actual − intended time of the actuated span.
    target
        Dead time of the actuator, count and rate limit.
    """

    rate: float
    wanted: float
    rule: SortRule
    cells: int = 1_000_000
    sensitivity: float = 1.0
    specificity: float = 1.0
    latency: Latency = field(default_factory=Constant)
    sort_delay_ns: int | None = None
    lead_ns: int = 0
    margin_ns: int = 0
    trigger_jitter_ns: float = 0.0
    actuation_jitter_ns: float = 0.0
    target: Target = field(default_factory=Target)
    seed: int = 0

    @property
    def mode(self) -> Mode:
        """The sort mode."""
        return self.rule.mode

    @property
    def deadline_after_ns(self) -> int | None:
        """From trigger to deadline; None without a sort delay."""
        return None if self.sort_delay_ns is None else self.sort_delay_ns - self.lead_ns

    @property
    def ideal(self) -> bool:
        """Whether nothing is in play that the closed forms leave out."""
        jitter = self.trigger_jitter_ns or self.actuation_jitter_ns
        return not jitter and self.sort_delay_ns is None and self.target == Target()

    def check(self, source: str = "simulate-sort") -> None:
        """Refuse what cannot be simulated; `InputError` names the field."""
        spans = {"lead": self.lead_ns, "margin": self.margin_ns, "trigger jitter": self.trigger_jitter_ns}
        spans["actuation jitter"] = self.actuation_jitter_ns
        shares = {"wanted": self.wanted, "sensitivity": self.sensitivity, "specificity": self.specificity}
        if not (self.rate > 0 and math.isfinite(self.rate) and self.rate <= 1e8):
            raise InputError(source, "rate", self.rate, "above 0, at most 1e8 cells per second")
        if not 1 <= self.cells <= MAX_CELLS:
            raise InputError(source, "cells", self.cells, f"1 to {MAX_CELLS}")
        if self.cells / self.rate > 1e9:
            raise InputError(source, "cells / rate", f"{self.cells / self.rate:g} s", "at most 1e9 s")
        if self.seed < 0:
            raise InputError(source, "seed", self.seed, "0 or more")
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise InputError(source, name, share, "0 to 1")
        for name, span in spans.items():
            if not 0 <= span <= 60e9:
                raise InputError(source, name, f"{span:g} ns", "0 to 60 s")
        self._check_timing(source)
        self.target.check(source, "wanted")

    def _check_timing(self, source: str) -> None:
        if self.deadline_after_ns is None or self.sort_delay_ns is None:
            return
        if self.deadline_after_ns <= self.margin_ns:
            found = f"{self.sort_delay_ns / 1e3:g} µs"
            raise InputError(source, "sort delay", found, "longer than actuation lead + margin")
        timing = Timing(margin_ns=self.margin_ns)
        check_rule(self.rule, timing, self.sort_delay_ns / 1e3, self.lead_ns / 1e3, source, "wanted")
