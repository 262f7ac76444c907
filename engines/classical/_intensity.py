"""The counts of a cell: their distribution, and how sharp they change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engines.classical._segment import Segmented

_PERCENTILES = (1, 10, 25, 50, 75, 90, 99)
_MOMENTS = ("mean", "std", "skewness", "kurtosis", "total", "min", "max")


def intensity(above: NDArray[np.float64], cell: Segmented) -> dict[str, NDArray[np.float64]]:
    """Measure `(n, H, W)` counts above background in the cell's region.

    Moments, percentiles, the mean on the region's rim (its outermost pixels), mean and standard deviation of the
    gradient (Sobel) and of the second derivative (Laplace, a measure of focus).
    """
    rim = cell.region & ~ndimage.binary_erosion(cell.region, structure=np.ones((1, 3, 3), np.bool_))
    moments, percentiles, edges = [], [], []
    for image, inside, outline in zip(above, cell.region, rim, strict=True):
        counts = image[inside]
        moments.append(_moments(counts))
        percentiles.append(np.percentile(counts, _PERCENTILES))
        # One by one: in a stack these filters would reach into the neighbouring cells.
        slopes = np.hypot(ndimage.sobel(image, axis=0), ndimage.sobel(image, axis=1))[inside] / 8
        edges.append((image[outline].mean(), slopes.mean(), slopes.std(), ndimage.laplace(image)[inside].std()))
    names = [*_MOMENTS, *(f"p{p:02d}" for p in _PERCENTILES), "rim_mean", "gradient_mean", "gradient_std", "focus"]
    if not len(above):
        return {name: np.zeros(0) for name in names}
    return dict(zip(names, np.column_stack((moments, percentiles, edges)).T, strict=True))


def _moments(counts: NDArray[np.float64]) -> tuple[float, ...]:
    mean, std = counts.mean(), counts.std()
    # A spread within the rounding of the mean is none.
    standard = (counts - mean) / std if std > 1e-9 * np.abs(counts).max() else np.zeros_like(counts)
    third, fourth = (standard**3).mean(), (standard**4).mean()
    return mean, std, third, fourth, counts.sum(), counts.min(), counts.max()
