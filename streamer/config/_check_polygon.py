"""A polygon must be one: three corners or more, and edges that meet only where one follows the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.errors import InputError
from streamer.config._gate_types import Polygon


def check_polygon(polygon: Polygon, field: str, source: object) -> None:
    """Raise `InputError` for fewer than three distinct corners, for edges that cross or touch, and for x = y."""
    if polygon.x == polygon.y:
        raise InputError(source, f"{field}.y", polygon.y, "another dimension than x")
    corners = corners_of(polygon)
    if len(corners) < 3:
        raise InputError(source, f"{field}.vertices", f"{len(corners)} distinct vertices", "3 or more")
    pair = _first_contact(corners)
    if pair is not None:
        first, second = pair
        found = f"self-crossing: edge {first} ({_edge(corners, first)}) meets edge {second} ({_edge(corners, second)})"
        raise InputError(source, f"{field}.vertices", found, "edges that do not cross or touch")


def corners_of(polygon: Polygon) -> NDArray[np.float64]:
    """Return the corners, `(k, 2)`, without a vertex that repeats the one before it or closes the ring."""
    vertices = np.array(polygon.vertices, np.float64)
    different = (vertices != np.roll(vertices, 1, axis=0)).any(axis=1)
    return np.ascontiguousarray(vertices[different])


def _first_contact(corners: NDArray[np.float64]) -> tuple[int, int] | None:
    k = len(corners)
    # Coordinates of the order of 1, so that no product of two runs over.
    corners = corners / max(float(np.abs(corners).max()), np.finfo(np.float64).tiny)
    a, b = corners, np.roll(corners, -1, axis=0)
    for i in range(k):
        others = np.arange(i + 1, k)
        following = (others == i + 1) | ((others + 1) % k == i)
        meets = _meet(a[i], b[i], a[others], b[others])
        meets[following] = False
        # Edges that share a corner overlap when the corner is a turn straight back.
        for j in others[following]:
            corner, ends = (b[i], (a[i], b[j])) if j == i + 1 else (a[i], (b[i], a[j]))
            u, v = ends[0] - corner, ends[1] - corner
            meets[j - i - 1] = u[0] * v[1] == u[1] * v[0] and bool(u @ v > 0)
        if meets.any():
            return i, int(others[meets.argmax()])
    return None


def _meet(
    p: NDArray[np.float64], q: NDArray[np.float64], r: NDArray[np.float64], s: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which of the segments r-s, `(m, 2)` each, share a point with the segment p-q."""
    d1, d2 = _side(r, s, p), _side(r, s, q)
    d3, d4 = _side(p, q, r), _side(p, q, s)
    boxes = (np.minimum(r, s) <= np.maximum(p, q)).all(axis=1) & (np.maximum(r, s) >= np.minimum(p, q)).all(axis=1)
    return (d1 * d2 <= 0) & (d3 * d4 <= 0) & boxes


def _side(a: NDArray[np.float64], b: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    d, e = b - a, point - a
    return np.asarray(np.sign(d[..., 0] * e[..., 1] - d[..., 1] * e[..., 0]), np.float64)


def _edge(corners: NDArray[np.float64], i: int) -> str:
    (x0, y0), (x1, y1) = corners[i], corners[(i + 1) % len(corners)]
    return f"{x0:g},{y0:g} to {x1:g},{y1:g}"
