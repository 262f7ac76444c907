"""How long a verdict takes: from trigger to the moment the decision code has it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from streamer.sortsim._spans import parse_duration

MAX_FILE_BYTES = 1 << 28
P99 = 2.3263478740408408
"""The 99 % point of the standard normal distribution."""


class Latency(Protocol):
    """A distribution of latencies."""

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `(n,)` nanoseconds."""
        ...


@dataclass(frozen=True)
class Constant:
    """Always the same."""

    ns: float = 1e6

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `(n,)` nanoseconds."""
        return np.full(n, self.ns)


@dataclass(frozen=True)
class LogNormal:
    """Most near the median, a few far above."""

    median_ns: float
    p99_ns: float

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `(n,)` nanoseconds."""
        return rng.lognormal(math.log(self.median_ns), math.log(self.p99_ns / self.median_ns) / P99, n)


@dataclass(frozen=True)
class Measured:
    """Drawn, with replacement, from latencies that were measured."""

    ns: NDArray[np.float64]

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `(n,)` nanoseconds."""
        return rng.choice(self.ns, n)


def parse_latency(text: str, source: str = "simulate-sort") -> Latency:
    """Read `1ms`, `lognormal:1ms:5ms` (median, 99 %), or the name of a file of latencies in microseconds.

    The file is text with one number per line, or a `.npy` array.
    """
    kind, _, rest = text.partition(":")
    if kind == "lognormal":
        median, _, p99 = rest.partition(":")
        low, high = parse_duration(median, "--latency", source), parse_duration(p99, "--latency", source)
        if not 0 < low <= high:
            raise InputError(source, "--latency", text, "lognormal:MEDIAN:P99, 0 < median ≤ p99")
        return LogNormal(low, high)
    if kind == "constant" or not Path(text).exists():
        return Constant(parse_duration(rest if kind == "constant" else text, "--latency", source))
    return Measured(_read(Path(text)) * 1e3)


def _read(path: Path) -> NDArray[np.float64]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(path, "size", f"over {MAX_FILE_BYTES} bytes", "a file of latencies")
        if path.suffix == ".npy":
            values: NDArray[np.float64] = np.load(path, allow_pickle=False).astype(np.float64).ravel()
        else:
            values = np.array(path.read_text().split(), np.float64)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise InputError(path, "latencies", str(error), "microseconds, one per line, or a .npy array") from error
    if not (len(values) and np.isfinite(values).all() and (values >= 0).all() and (values <= 60e6).all()):
        raise InputError(path, "latencies", f"{len(values)} values", "one or more, each 0 to 60e6 µs")
    return values
