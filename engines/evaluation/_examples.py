"""Choose the cells that are worth a look, and make pictures of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.evaluation._evaluation import Evaluation

_MOST_PER_CLASS = 4
_PICTURES = 48
CLASSES_SHOWN = 60
_LONGEST = 96
_GAP = 2


@dataclass(frozen=True)
class Examples:
    """Positions, among the evaluated cells, of the surest right and the surest wrong cells of one class."""

    right: NDArray[np.int64]
    wrong: NDArray[np.int64]


def choose_examples(evaluation: Evaluation) -> list[Examples]:
    """Return the examples of each class, the surest first: four of each kind, fewer where there are many classes.

    Of no more than the first 60 classes.
    """
    p, labels = evaluation.probabilities, evaluation.labels
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    most = max(1, min(_MOST_PER_CLASS, _PICTURES // p.shape[1]))
    order = np.argsort(-confidence, kind="stable")
    chosen = []
    for k in range(min(p.shape[1], CLASSES_SHOWN)):
        of_class = order[labels[order] == k]
        chosen.append(Examples(of_class[right[of_class]][:most], of_class[~right[of_class]][:most]))
    return chosen


def channel_ranges(evaluation: Evaluation, positions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return `(C, 2)` counts that are black and white in every picture of a channel, so that pictures compare.

    They are the 0.5 and 99.5 percentiles over these cells.
    """
    frames = evaluation.cells.frames[evaluation.rows[positions]].astype(np.float64)
    return np.percentile(frames, [0.5, 99.5], axis=(0, 2, 3)).T


def picture(evaluation: Evaluation, position: int, ranges: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return all channels of a cell side by side, `(h, w)` grey; every second, third … pixel of large frames."""
    frame = evaluation.cells.frames[evaluation.rows[position]].astype(np.float64)
    step = max(1, -(-max(frame.shape[1:]) // _LONGEST))
    frame = frame[:, ::step, ::step]
    low, high = ranges[:, 0, None, None], ranges[:, 1, None, None]
    grey = np.clip((frame - low) / np.where(high > low, high - low, 1.0) * 255, 0, 255).round().astype(np.uint8)
    padded = np.pad(grey, ((0, 0), (0, 0), (0, _GAP)), constant_values=128)
    return np.concatenate(list(padded), axis=1)[:, :-_GAP]
