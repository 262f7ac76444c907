import numpy as np
import pytest

torch = pytest.importorskip("torch")

from engines.training._normalise import Percentile, Quantile  # noqa: E402


def frames(n=5, size=21, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).gamma(2, 30, (n, 2, size, size + 3)).astype(np.float32))


def test_percentile_is_the_one_numpy_gives():
    given = frames()
    low, high = np.percentile(given.numpy(), (0.1, 99.9), axis=(2, 3), keepdims=True)
    expected = np.maximum((np.minimum(given.numpy(), high) - low) / (high - low), 0)
    assert Percentile(21, 24)(given).numpy() == pytest.approx(expected, abs=1e-5)


def test_percentile_does_not_change_with_gain_and_offset_and_survives_flat_frames():
    given, normalise = frames(), Percentile(21, 24)
    assert torch.allclose(normalise(given), normalise(given * 3 + 500), atol=1e-4)
    assert normalise(torch.full((1, 2, 21, 24), 7.0)).abs().max() == 0


def test_quantile_gives_every_cell_the_reference_values_in_its_own_order():
    given = frames()
    found = Quantile(frames(seed=1))(given)
    for cell in found:
        for values, reference in zip(cell, Quantile(frames(seed=1)).reference, strict=True):
            assert torch.equal(values.flatten().sort(descending=True).values, reference)
    assert torch.equal(found[0, 0].flatten().argsort(), given[0, 0].flatten().argsort())
    assert torch.allclose(found, Quantile(frames(seed=1))(given * 2 + 9))
