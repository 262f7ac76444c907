"""Lay an embedding out in the plane."""

from __future__ import annotations

import importlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.errors import MissingExtraError

MapKind = Literal["pca", "tsne"]
MAPS: tuple[MapKind, ...] = ("pca", "tsne")

_NEIGHBOURS = 30
_FEWEST = 5
_FIRST_PARTS = 50


def lay_out(embedding: NDArray[np.float32], kind: MapKind) -> tuple[NDArray[np.float64], str]:
    """Return `(n, 2)` positions of `(n, E)` vectors, and one line on how they came about.

    `pca`: the first two principal components. `tsne`: t-SNE (van der Maaten and Hinton 2008) of the first 50, with
    perplexity 30 or a third of the cells, seed 0; of fewer than five cells the principal components.

    Raises
    ------
    MissingExtraError
        t-SNE was asked for and scikit-learn is not installed.
    """
    if kind == "tsne" and len(embedding) >= _FEWEST:
        return _tsne(embedding)
    positions, explained = principal_components(embedding, 2)
    first, second = (100 * share for share in explained)
    return positions, f"The first two principal components, {first:.0f} % and {second:.0f} % of the variance."


def principal_components(
    embedding: NDArray[np.float32], wanted: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `(n, wanted)` components of vectors and the share of the variance each explains; zeros beyond the rank."""
    values = np.nan_to_num(embedding.astype(np.float64), posinf=0.0, neginf=0.0)
    values -= values.mean(axis=0)
    # By the smaller of the two products: an embedding of 1024 of ten cells has ten components.
    turned = len(values) < values.shape[1]
    sizes, axes = np.linalg.eigh(values @ values.T if turned else values.T @ values)
    order = np.argsort(-sizes)[:wanted]
    sizes_kept, axes = np.maximum(sizes[order], 0), axes[:, order]
    found = axes * np.sqrt(sizes_kept) if turned else values @ axes
    total = float(np.maximum(sizes, 0).sum()) or 1.0
    positions, explained = np.zeros((len(values), wanted)), np.zeros(wanted)
    # The sign of a component is anybody's: let the largest coordinate be positive.
    signs = np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])])
    positions[:, : found.shape[1]] = found * np.where(signs == 0, 1, signs)
    explained[: found.shape[1]] = sizes_kept / total
    return positions, explained


def require_map(kind: MapKind) -> None:
    """Raise `MissingExtraError` unless what this kind of map needs can be imported."""
    if kind == "tsne":
        try:
            importlib.import_module("sklearn.manifold")
        except ImportError as error:
            raise MissingExtraError("a t-SNE map", "explore") from error


def _tsne(embedding: NDArray[np.float32]) -> tuple[NDArray[np.float64], str]:
    require_map("tsne")
    from sklearn.manifold import TSNE

    parts, _ = principal_components(embedding, min(_FIRST_PARTS, *embedding.shape))
    perplexity = min(_NEIGHBOURS, (len(parts) - 1) / 3)
    model = TSNE(n_components=2, perplexity=perplexity, init="random", random_state=0)
    positions = np.asarray(model.fit_transform(parts / (parts[:, 0].std() or 1.0)), np.float64)
    return positions, f"t-SNE, perplexity {perplexity:.0f}: near cells are alike, far distances mean nothing."
