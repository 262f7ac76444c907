"""The outline of a cell, and the moments of what is in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from skimage.measure import moments_hu, perimeter

Values = NDArray[np.float64]


def shape(mask: NDArray[np.bool_], above: Values) -> dict[str, Values]:
    """Measure masks `(n, H, W)`; 0 where one is empty.

    `area`, `perimeter` in pixels; `form_factor` 4π·area/perimeter²; `solidity` area over that of the convex hull of
    the pixels' corners; `extent` area over that of the bounding box; `major_axis`, `minor_axis`, `eccentricity` of
    the ellipse of the same second moments; `border`, share of the mask's pixels on the frame's border;
    `mass_displacement`, from the mask's centroid to that of what differs from the background, in pixels; `hu1` to
    `hu7`, Hu's invariant moments (Hu 1962) of the mask, and `weighted_hu1` to `weighted_hu7` of the absolute counts
    in it.
    """
    counts = np.abs(above)
    # Weights are relative: the largest float32 would overflow the third moments.
    counts = counts / np.maximum(counts.max(axis=(1, 2), initial=0, keepdims=True), 1e-300)
    plain, weighted = _Central(mask.astype(np.float64)), _Central(counts * mask)
    area = plain.moments[:, 0, 0]
    outline = np.array([_outline(one) for one in mask]).reshape(len(mask), 3)
    around, hull, box = outline.T
    major, minor = _axes(plain)
    inside = mask[:, 1:-1, 1:-1].sum(axis=(1, 2))
    displacement = np.hypot(*(plain.centroid - weighted.centroid)) * (area > 0) * (weighted.moments[:, 0, 0] > 0)
    found = {
        "area": area,
        "perimeter": around,
        "form_factor": _ratio(4 * np.pi * area, around**2),
        "solidity": _ratio(area, hull),
        "extent": _ratio(area, box),
        "major_axis": major,
        "minor_axis": minor,
        "eccentricity": np.sqrt(np.maximum(1 - _ratio(minor, major) ** 2, 0)) * (area > 0),
        "border": _ratio(area - inside, area),
        "mass_displacement": displacement,
    }
    for name, moments in (("hu", plain), ("weighted_hu", weighted)):
        invariants = np.array([moments_hu(one) for one in _normalised(moments.moments)]).reshape(-1, 7)
        found |= {f"{name}{i + 1}": invariants[:, i] for i in range(7)}
    return found


class _Central:
    """Central moments `moments[n, p, q]` to the third order, rows to the power p, and the centroids `(2, n)`."""

    def __init__(self, weights: Values) -> None:
        rows, columns = np.arange(weights.shape[1])[:, None], np.arange(weights.shape[2])[None, :]
        total = weights.sum(axis=(1, 2))
        y, x = _ratio((weights * rows).sum(axis=(1, 2)), total), _ratio((weights * columns).sum(axis=(1, 2)), total)
        self.centroid = np.stack((y, x))
        by_row = np.stack([(rows - y[:, None, None]) ** p for p in range(4)])
        by_column = np.stack([(columns - x[:, None, None]) ** q for q in range(4)])
        self.moments = np.einsum("nij,pni,qnj->npq", weights, by_row[..., 0], by_column[:, :, 0, :], optimize=True)


def _normalised(central: Values) -> Values:
    """Return moments that do not change with size, 0 where there is nothing."""
    order = np.add.outer(np.arange(4), np.arange(4))
    total = central[:, :1, :1]
    scale = np.where(total > 0, total, 1) ** (1 + order / 2)
    normalised: Values = np.where((order >= 2) & (order <= 3) & (total > 0), central / scale, 0.0)
    return normalised


def _axes(plain: _Central) -> tuple[Values, Values]:
    """Return the axes of the ellipse with the mask's second moments.

    A pixel is a square and not a point, which adds 1/12 to both (as MATLAB's `regionprops` does and scikit-image's
    does not).
    """
    area = plain.moments[:, 0, 0]
    yy, xx, xy = (_ratio(plain.moments[:, p, q], area) for p, q in ((2, 0), (0, 2), (1, 1)))
    middle, swing = (yy + xx) / 2 + 1 / 12, np.hypot((yy - xx) / 2, xy)
    found = area > 0
    return 4 * np.sqrt(middle + swing) * found, 4 * np.sqrt(np.maximum(middle - swing, 0)) * found


def _outline(mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return perimeter, area of the convex hull, area of the bounding box."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return 0.0, 0.0, 0.0
    left = mask[rows].argmax(axis=1)
    right = mask.shape[1] - mask[rows][:, ::-1].argmax(axis=1)
    corners = [(y, x) for edge in (left, right) for down in (0, 1) for y, x in zip(rows + down, edge, strict=True)]
    hull = ConvexHull(np.array(corners, np.float64)).volume  # of two dimensions: the area
    box = (rows[-1] + 1 - rows[0]) * (right.max() - left.min())
    return float(perimeter(mask)), float(hull), float(box)


def _ratio(a: Values, b: Values) -> Values:
    return np.divide(a, b, out=np.zeros_like(a, np.float64), where=b > 0)
