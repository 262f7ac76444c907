"""The map of the embedding: a point per cell, coloured by its true class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.evaluation._embedding_map import MapKind, lay_out
from engines.evaluation._evaluation import Evaluation
from engines.evaluation._page_palette import colour, dot
from engines.evaluation._page_text import cells, count, escape

_W, _H, _EDGE = 1000, 620, 12
_MARGIN = 0.25


def embedding_map(evaluation: Evaluation, kind: MapKind) -> str:
    """Return the map with its legend. Raises `MissingExtraError` as `lay_out` does."""
    positions, how = lay_out(evaluation.embedding, kind)
    at, beyond = _placed(positions)
    labels = evaluation.labels[evaluation.map_rows]
    wrong = evaluation.probabilities[evaluation.map_rows].argmax(axis=1) != labels
    shown = [k for k in range(len(evaluation.figures.classes)) if (labels == k).any()]
    # Large classes first, so that rare cells lie on top.
    common = sorted(shown, key=lambda k: -int((labels == k).sum()))
    parts = [_spots("points", k, at[(labels == k) & ~wrong]) for k in common]
    parts.append(f'<path class="rim" d="{_points(at[wrong])}"/>')
    parts += [_spots("wrong", k, at[(labels == k) & wrong]) for k in common]
    legend = "".join(f"<span>{dot(k)}{escape(evaluation.figures.classes[k])}</span>" for k in shown)
    drawn = "" if len(labels) == len(evaluation.labels) else f" {count(len(labels))} cells, drawn by chance."
    edge = f" {cells(beyond)} far off drawn at the edge." if beyond else ""
    return (
        f'<p class="legend">{legend}</p><figure><svg viewBox="0 0 {_W} {_H}" width="{_W}" role="img" '
        f'aria-label="Map of the embedding">{"".join(parts)}</svg>'
        f"<figcaption>{how} Coloured by true class; those called wrongly have a rim.{drawn}{edge}</figcaption></figure>"
    )


def _placed(positions: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return where points go on the page, and how many were moved to its edge.

    A few cells far from all others would press these into a corner: the page reaches a quarter beyond what the middle
    98 % span.
    """
    low, high = np.percentile(positions, [1, 99], axis=0)
    beyond = _MARGIN * (high - low)
    low, high = np.maximum(low - beyond, positions.min(axis=0)), np.minimum(high + beyond, positions.max(axis=0))
    kept = np.clip(positions, low, high)
    size = np.where(high > low, high - low, 1.0)
    placed: NDArray[np.float64] = _EDGE + (kept - low) / size * (np.array([_W, _H]) - 2 * _EDGE)
    placed[:, 1] = _H - placed[:, 1]
    return placed, int((kept != positions).any(axis=1).sum())


def _spots(kind: str, k: int, at: NDArray[np.float64]) -> str:
    return f'<path class="{kind}" stroke="{colour(k)}" d="{_points(at)}"/>' if len(at) else ""


def _points(at: NDArray[np.float64]) -> str:
    """Return a path that is a spot at each position: a line of no length with round ends."""
    return "".join(f"M{x:.0f} {y:.0f}h0" for x, y in at)
