"""Regions that are not boxes: polygon, ellipsoid, and combinations of other gates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.config import Ellipsoid, Polygon, corners_of
from streamer.decision._scales import Curve

Values = NDArray[np.float32]
Inside = NDArray[np.bool_]


class Axes(NamedTuple):
    """The dimensions of a region: columns of the features, and the scale of each (None: as it is)."""

    columns: NDArray[np.intp]
    curves: tuple[Curve | None, ...]

    def points(self, values: Values) -> NDArray[np.float64]:
        """Return the points `(n, dimensions)` in the units of the scales."""
        points = values[:, self.columns].astype(np.float64)
        for d, curve in enumerate(self.curves):
            if curve is not None:
                points[:, d] = curve.forward(points[:, d])
        return points


class PolygonRegion:
    """Inside by the even-odd rule; an edge is inside, as Gating-ML 2.0 has it."""

    def __init__(self, polygon: Polygon, axes: Axes) -> None:
        self._axes = axes
        a = corners_of(polygon)
        b = np.roll(a, -1, axis=0)
        (self._ax, self._ay), (self._bx, self._by) = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
        self._ex, self._ey = self._bx - self._ax, self._by - self._ay
        self._up = np.sign(self._ey)

    def __call__(self, values: Values) -> Inside:
        """Tell for each of n cells whether it is inside; `(n,)` bool."""
        points = self._axes.points(values)
        x, y = points[:, :1], points[:, 1:]
        cross = self._ex * (y - self._ay) - (x - self._ax) * self._ey
        spans = (self._ay > y) != (self._by > y)
        inside: Inside = np.logical_xor.reduce(spans & (cross * self._up > 0), axis=1)
        if (in_line := cross == 0).any():
            inside |= (in_line & self._between(x, y)).any(axis=1)
        return inside

    def _between(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell for each point and edge whether the point lies between the ends in both coordinates."""
        # Ends on either side of the point, or one of them level with it.
        level_x, level_y = (self._ax - x) * (self._bx - x), (self._ay - y) * (self._by - y)
        between: NDArray[np.bool_] = (level_x <= 0) & (level_y <= 0)
        return between


class EllipsoidRegion:
    """(x − mean)ᵀ · covariance⁻¹ · (x − mean) ≤ distance²; the surface is inside (Gating-ML 2.0)."""

    def __init__(self, ellipsoid: Ellipsoid, axes: Axes) -> None:
        self._axes = axes
        self._mean = np.array(ellipsoid.mean)
        self._inverse = np.linalg.inv(np.array(ellipsoid.covariance))
        self._most = ellipsoid.distance_squared

    def __call__(self, values: Values) -> Inside:
        """Tell for each of n cells whether it is inside; `(n,)` bool."""
        away = self._axes.points(values) - self._mean
        inside: Inside = ((away @ self._inverse) * away).sum(axis=1) <= self._most
        return inside


class Part(NamedTuple):
    """A gate as a part of another: its number, whether its complement counts, and the features it rests on."""

    gate: int
    complement: bool
    columns: NDArray[np.intp]


class BooleanRegion:
    """And or or of other gates or their complements; a gate counts with its parents.

    A cell one of whose features is not finite lies neither in a gate over it nor in that gate's complement, so that
    a fault never sorts a cell.
    """

    def __init__(self, parts: tuple[Part, ...], every: bool) -> None:
        self._parts, self._every = parts, every

    def __call__(self, values: Values, member: Inside) -> Inside:
        """Tell for each of n cells whether it is inside; `member` is `(n, gates)`, filled for the parts."""
        inside = np.full(len(values), self._every)
        for gate, complement, columns in self._parts:
            part = member[:, gate]
            if complement:
                part = ~part & np.isfinite(values[:, columns]).all(axis=1)
            inside = inside & part if self._every else inside | part
        return inside
