"""Scales of a dimension, as Gating-ML 2.0 defines them (flin, flog, fasinh, logicle).

All are monotone, so a rectangle's bounds are brought to data units once instead of scaling every cell.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.config import Asinh, Linear, Log, Logicle, Scale
from streamer.decision._logicle import LogicleScale

_LN10 = math.log(10)


class Curve(Protocol):
    """A monotone scale."""

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scaled values of data, any shape; NaN where the scale has none."""
        ...

    def inverse(self, y: float) -> float:
        """Return the data value of a scaled one; infinite where that is too large."""
        ...


def curve_of(scale: Scale) -> Curve:
    """Return the functions of a scale whose parameters were checked."""
    match scale:
        case Linear(T=t, A=a):
            return LinearScale(t, a)
        case Log(T=t, M=m):
            return LogScale(t, m)
        case Asinh(T=t, M=m, A=a):
            return AsinhScale(t, m, a)
        case Logicle(T=t, W=w, M=m, A=a):
            return LogicleScale(t, w, m, a)


class LinearScale:
    """flin: (x + A) / (T + A)."""

    def __init__(self, t: float, a: float) -> None:
        self._t, self._a = t, a

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale data."""
        return (x + self._a) / (self._t + self._a)

    def inverse(self, y: float) -> float:
        """Return the data value of y."""
        return y * (self._t + self._a) - self._a


class LogScale:
    """flog: log10(x / T) / M + 1; NaN for negative x, −∞ for 0."""

    def __init__(self, t: float, m: float) -> None:
        self._t, self._m = t, m

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale data."""
        return np.log10(x / self._t) / self._m + 1

    def inverse(self, y: float) -> float:
        """Return the data value of y."""
        with np.errstate(over="ignore", under="ignore"):
            return float(self._t * np.power(10.0, np.float64((y - 1) * self._m)))


class AsinhScale:
    """fasinh: (asinh(x·sinh(M·ln10) / T) + A·ln10) / ((M + A)·ln10)."""

    def __init__(self, t: float, m: float, a: float) -> None:
        self._factor, self._shift, self._span = math.sinh(m * _LN10) / t, a * _LN10, (m + a) * _LN10

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale data."""
        return (np.arcsinh(x * self._factor) + self._shift) / self._span

    def inverse(self, y: float) -> float:
        """Return the data value of y."""
        with np.errstate(over="ignore"):
            return float(np.sinh(np.float64(y * self._span - self._shift)) / self._factor)
