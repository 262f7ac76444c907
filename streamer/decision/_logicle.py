"""The logicle scale: linear around zero, logarithmic far from it, and smooth between.

y = logicle(x) is the root of B(y) = a·e^(b·y) − c·e^(−d·y) − f = x, for negative x mirrored at the y of x = 0.

Sources: Parks, Roederer, Moore (2006), Cytometry A 69:541-551; Moore, Parks (2012), Cytometry A 81:273-277, whose
parameters (T, W, M, A) and constants are those of Gating-ML 2.0.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_ROOM = 4096
_TABLE_TOP = 1.1
_LN10 = math.log(10)


class LogicleScale:
    """x → y and back for one set of parameters; y is 1 at x = T and, with A = 0, W / M at x = 0.

    Parameters
    ----------
    T, W, M, A
        Top of scale (data units); linear width, full width and additional negative width (decades).
    """

    def __init__(self, T: float, W: float, M: float, A: float) -> None:  # noqa: N803 - the standard's letters
        w, x2 = W / (M + A), A / (M + A)
        self._x1 = x2 + w
        x0 = x2 + 2 * w
        self._b = (M + A) * _LN10
        self._d = _solve_d(self._b, w)
        ca = math.exp(x0 * (self._b + self._d))
        fa = math.exp(self._b * self._x1) - ca * math.exp(-self._d * self._x1)
        self._a = T / (math.exp(self._b) - fa - ca * math.exp(-self._d))
        self._c, self._f = ca * self._a, fa * self._a
        self._y = np.linspace(self._x1, max(_TABLE_TOP, self._x1 + 0.1), _ROOM)
        self._x = self._biexponential(self._y)
        self._x[0] = 0.0

    def forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return y of any shape of x.

        A table gives y to 1e-7, and one step of Halley's method (third order) brings that to rounding error.
        """
        size = np.abs(x)
        y = np.interp(size, self._x, self._y)
        if (beyond := size > self._x[-1]).any():
            y[beyond] = np.log((size[beyond] + self._f) / self._a) / self._b
        rising, falling = self._a * np.exp(self._b * y), self._c * np.exp(-self._d * y)
        error = rising - falling - self._f - size
        slope = self._b * rising + self._d * falling
        curve = self._b * self._b * rising - self._d * self._d * falling
        y = y - error / (slope - error * curve / (2 * slope))
        return np.where(x < 0, 2 * self._x1 - y, y)

    def inverse(self, y: float) -> float:
        """Return x of one y; 0 within rounding of where 0 lies, which decimals such as 0.3 name."""
        if math.isclose(y, self._x1, rel_tol=1e-15, abs_tol=1e-16):
            return 0.0
        if y < self._x1:
            return -self.inverse(2 * self._x1 - y)
        with np.errstate(over="ignore"):
            return float(self._biexponential(np.float64(y)))

    def _biexponential(self, y: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
        return np.asarray(self._a * np.exp(self._b * y) - self._c * np.exp(-self._d * y) - self._f)


def _solve_d(b: float, w: float) -> float:
    """Solve 2·(ln d − ln b) + w·(b + d) = 0 for 0 < d ≤ b (equation 5 of the 2012 paper) by bisection."""
    low, high = 0.0, b
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if 2 * (math.log(middle) - math.log(b)) + w * (b + middle) > 0:
            high = middle
        else:
            low = middle
    return high if w == 0 else (low + high) / 2
