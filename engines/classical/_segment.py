"""Find the cell in each frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from engines.fit import background

# Otsu's threshold lies between the cell's strong and weak parts as often as between cell and background. This share
# of it outlines bright-field cells whole; below that the rim's diffraction rings join in.
_SHARE = 0.6
# What is not this many times as far off the background as the frame's border is noise, and Otsu finds a cell in it.
_NOISES = 3.0
_IN_PLANE = np.zeros((3, 3, 3), np.bool_)
_IN_PLANE[1] = True
_CROSS = _IN_PLANE & ndimage.generate_binary_structure(3, 1)


@dataclass(frozen=True)
class Segmented:
    """Where the cells are.

    Attributes
    ----------
    mask
        `(n, H, W)` bool; empty where no cell was found.
    region
        The mask, or the whole frame where it is empty: what intensity and texture are measured in.
    components
        `(n,)` separate parts above the threshold; the largest is the cell.
    """

    mask: NDArray[np.bool_]
    region: NDArray[np.bool_]
    components: NDArray[np.float64]


def segment(above: NDArray[np.float64]) -> Segmented:
    """Segment one channel's `(n, H, W)` counts above background.

    The distance from the background, brighter or darker, is smoothed (σ = 1 pixel) and held against a share of
    Otsu's threshold; holes are filled and the largest part is kept.
    """
    size = ndimage.gaussian_filter(np.abs(above), sigma=(0, 1, 1))
    # Rounded off, so that a turned frame, whose sums differ in the last digits, gets the same threshold.
    size = np.round(size / np.maximum(size.max(axis=(1, 2), initial=0, keepdims=True), 1e-300), 9)
    otsu = np.array([threshold_otsu(image) if np.ptp(image) > 0 else np.inf for image in size])
    thresholds = np.maximum(_SHARE * otsu, _NOISES * background(size[:, None])[:, 0])
    parts = ndimage.binary_fill_holes(size > thresholds[:, None, None], structure=_CROSS)
    labels, count = ndimage.label(parts, structure=_IN_PLANE)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    areas[0] = 0
    area_of_part = areas[labels]
    largest = np.where(parts, area_of_part == area_of_part.max(axis=(1, 2), initial=0, keepdims=True), False)
    # Of two parts of one size the first is the cell.
    first = np.where(largest, labels, count + 1).min(axis=(1, 2), initial=count + 1)
    mask = labels == first[:, None, None]
    whole = ~mask.any(axis=(1, 2), keepdims=True)
    components = np.array([len(np.unique(image[image > 0])) for image in labels], np.float64)
    return Segmented(mask, mask | whole, components)
