import numpy as np
import pytest

torch = pytest.importorskip("torch")

from engines.training._unfamiliar import Unfamiliarity  # noqa: E402


def blobs(n=900, seed=0, width=40):
    """Return embeddings of three classes that vary much in a few directions and little in the others."""
    random = np.random.default_rng(seed)
    spread = np.where(np.arange(width) < 6, 3.0, 0.2)
    labels = np.arange(n) % 3
    centres = np.random.default_rng(99).normal(0, 6, (3, width))
    return (centres[labels] + random.normal(0, 1, (n, width)) * spread).astype(np.float32), labels


def test_one_is_what_one_cell_in_a_hundred_is_beyond():
    measure = Unfamiliarity(*blobs(), blobs(seed=1)[0])
    found = measure(torch.from_numpy(blobs(4000, seed=2)[0])).numpy()
    assert found.shape == (4000, 1)
    assert found.min() >= 0
    assert (found > 1).mean() == pytest.approx(0.01, abs=0.006)


def test_cells_away_from_every_class_are_unfamiliar():
    values, labels = blobs()
    measure = Unfamiliarity(values, labels, blobs(seed=1)[0])
    between = torch.from_numpy(values[labels == 0][:200] * 0.5 + values[labels == 1][:200] * 0.5)
    elsewhere = torch.from_numpy(values[:200] + np.float32(8))
    assert (measure(between) > 1).float().mean() > 0.9
    assert (measure(elsewhere) > 1).all()


def test_distance_is_mahalanobis_where_every_direction_is_kept():
    values, labels = blobs(width=8)
    measure = Unfamiliarity(values, labels)
    centres = np.stack([values[labels == k].mean(0) for k in range(3)]).astype(np.float64)
    within = values - centres[labels]
    inverse = np.linalg.inv(within.T @ within / len(within))
    apart = values[:50, None] - centres
    expected = np.sqrt(np.einsum("nki,ij,nkj->nk", apart, inverse, apart).min(1))
    found = measure(torch.from_numpy(values[:50])).numpy()[:, 0] * measure.unit
    assert found == pytest.approx(expected, rel=5e-3)


def test_large_embeddings_are_measured_as_small_ones_are():
    # Beyond a limit only the largest directions are looked for; more dimensions that say nothing change nothing.
    values, labels = blobs(400, width=60)
    wide = np.concatenate((values, np.zeros((400, 1500), np.float32)), axis=1)
    small, large = Unfamiliarity(values, labels), Unfamiliarity(wide, labels)
    strong = slice(0, 6)  # the directions in which the blobs vary much; the others' order is chance
    assert large.variances[strong] == pytest.approx(small.variances[strong], rel=2e-3)
    overlap = np.linalg.svd(large.axes.numpy()[:60, strong].T @ small.axes.numpy()[:, strong])[1]
    assert overlap == pytest.approx(np.ones(6), abs=1e-3)
    assert large.axes.shape == (1560, 32)


def test_constant_embeddings_are_no_trouble():
    measure = Unfamiliarity(np.ones((20, 5), np.float32), np.arange(20) % 2)
    assert torch.isfinite(measure(torch.ones(3, 5))).all()
    assert (measure(torch.full((3, 5), 2.0)) > 1).all()
