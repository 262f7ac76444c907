"""Unfamiliarity: how far a cell's embedding lies from those of the training classes.

A classifier must name one of its classes whatever it is shown. Debris, doublets and damaged cells have embeddings
away from those of the cells it was trained on, which a distance tells: the Mahalanobis distance to the nearest class
with one covariance for all (Lee et al., NeurIPS 2018). The covariance of a few hundred dimensions from a few thousand
cells is only trusted in its largest directions; what lies outside of them counts with one common variance.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float32] | NDArray[np.float64]

NAME = "unfamiliarity"
_DIRECTIONS = 32
# Up to so many dimensions all directions are computed; beyond, time grows with their cube (a student on frames of
# 128×128 has 14,400), and the largest directions are all that is needed.
_ALL_DIRECTIONS = 1024
_SPARE, _PASSES = 16, 6
# 1 is as far as the farthest hundredth of the cells that set the scale.
_QUANTILE = 0.99
# A direction in which the training cells hardly vary must not make any cell infinitely far in it.
_LEAST = 1e-3


class Unfamiliarity(nn.Module):
    """Maps an embedding `(n, E)` to a distance `(n, 1)` float32, 0 or more.

    1 is the distance beyond which one in a hundred of the cells that set the scale lie: a limit of 1 refuses one
    ordinary cell in a hundred, whatever the network.
    """

    mean: Tensor
    axes: Tensor
    along: Tensor
    across: Tensor
    towards: Tensor
    offsets: Tensor

    def __init__(
        self, embedding: NDArray[np.float32], labels: NDArray[np.int64], scale: NDArray[np.float32] | None = None
    ) -> None:
        """Learn from training cells `(n, E)` and their classes `(n,)`; `scale`: embeddings of cells not trained on."""
        super().__init__()
        # In double precision, but for embeddings so large that memory counts.
        values = embedding if embedding.shape[1] > _ALL_DIRECTIONS else embedding.astype(np.float64)
        present = np.unique(labels)
        centres = np.stack([values[labels == k].mean(axis=0) for k in present])
        within = values - centres[np.searchsorted(present, labels)]
        kept = min(_DIRECTIONS, embedding.shape[1])
        self.variances, axes, rest = _directions(within, kept)
        mean = centres.mean(axis=0)
        self._hold(mean, axes, centres - mean, 1 / self.variances, 1 / rest)
        with torch.inference_mode():
            far = self(torch.from_numpy(embedding if scale is None or not len(scale) else scale))
        self.unit = max(float(np.quantile(far.numpy(), _QUANTILE)), 1e-6)
        self._hold(mean, axes, centres - mean, 1 / self.variances / self.unit**2, 1 / rest / self.unit**2)

    def forward(self, embedding: Tensor) -> Tensor:
        """Return `(n, 1)`.

        With x an embedding less the mean of the centres, m a centre less that mean, A the axes and w the weight along
        each, v across all of them: the squared distance Σ w (Aᵀ(x − m))² + v (|x − m|² − |Aᵀ(x − m)|²) is written as
        what is the same for all classes, v |x|² + Σ (w − v) (Aᵀx)², and what is linear in x. That is half as many
        operations, each of which costs a lone cell a microsecond.
        """
        cells = embedding - self.mean
        along = cells @ self.axes
        common = (cells * cells) @ self.across + (along * along) @ self.along
        # Not a linear layer: that would be quantised with the network's.
        nearest = (cells @ self.towards + self.offsets).amin(1, keepdim=True)
        return (nearest + common).clamp(min=0).sqrt()

    def _hold(self, mean: Floats, axes: Floats, centres: Floats, weights: Floats, rest: float) -> None:
        of_classes = centres @ axes
        extra = weights - rest
        held = {
            "mean": mean,
            "axes": axes,
            "along": extra[:, None],
            "across": np.full((len(mean), 1), rest),
            "towards": -2 * (rest * centres + (of_classes * extra) @ axes.T).T,
            "offsets": rest * (centres * centres).sum(1) + (of_classes * of_classes) @ extra,
        }
        for name, value in held.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value)).float())


def _directions(within: Floats, kept: int) -> tuple[Floats, Floats, float]:
    """Return the `kept` largest variances of centred `(n, E)` values, their axes, the mean of the other variances.

    Variances are raised to what is left of the mean one by `_LEAST`.
    """
    n, size = within.shape
    total = float(np.einsum("ij,ij->", within, within)) / n
    least = max(total / size * _LEAST, 1e-12)
    if size <= _ALL_DIRECTIONS:
        variances, axes = np.linalg.eigh(within.T @ within / n)
        variances, axes = np.maximum(variances[::-1], least), axes[:, ::-1]
        rest = float(variances[kept:].mean()) if kept < size else float(variances[-1])
        return variances[:kept], axes[:, :kept], rest
    # Subspace iteration from a random start (Halko, Martinsson & Tropp 2011): products with `within` only.
    axes = np.random.default_rng(0).standard_normal((size, min(kept + _SPARE, n)))
    for _ in range(_PASSES):
        axes = np.linalg.qr(within.T @ (within @ axes))[0]
    _, singular, turned = np.linalg.svd(within @ axes, full_matrices=False)
    variances, axes = (singular * singular / n)[:kept], (axes @ turned.T)[:, :kept]
    rest = max((total - float(variances.sum())) / (size - kept), least)
    return np.maximum(variances, least), axes, rest
