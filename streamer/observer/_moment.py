"""Two snapshots read together: what happened between them, and since the start."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.observer._percentiles import histogram_since
from streamer.observer._window import follows
from streamer.vocabulary import Account
from streamer.wire import HistogramData, Snapshot


@dataclass(frozen=True)
class Moment:
    """A snapshot and an earlier one of the same run; `before` of another run, or a later one, is left out.

    Attributes
    ----------
    now
        The snapshot.
    before
        What 'now' is measured against.
    """

    now: Snapshot
    before: Snapshot | None

    @classmethod
    def of(cls, now: Snapshot, before: Snapshot | None) -> Moment:
        """Return the moment of these two."""
        return cls(now, before if follows(now, before) else None)

    def rate(self, term: str) -> float | None:
        """Return an account's term per second between the two; None where there is no earlier snapshot."""
        if self.before is None:
            return None
        span_s = (self.now.time_ns - self.before.time_ns) / 1e9
        return (_term(self.now.lifetime, term) - _term(self.before.lifetime, term)) / span_s

    def mean_rate(self, term: str) -> float | None:
        """Return a term of the series per second since the series began; None between series."""
        span_s = (self.now.time_ns - self.now.series_started_ns) / 1e9
        return _term(self.now.account, term) / span_s if self.now.series and span_s > 0 else None

    def recent(self, name: str) -> HistogramData | None:
        """Return what a histogram gained between the two; None where there is no earlier snapshot."""
        data = self.now.histograms.get(name)
        if data is None or self.before is None:
            return None
        return histogram_since(data, self.before.histograms.get(name))

    def total(self, name: str) -> HistogramData | None:
        """Return a histogram since start."""
        return self.now.histograms.get(name)


def _term(account: Account, term: str) -> int:
    value = getattr(account, term)
    assert isinstance(value, int)  # noqa: S101 - a name of this module's own choosing
    return value
