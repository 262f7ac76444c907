import numpy as np
import pytest

torch = pytest.importorskip("torch")

from engines.training._measure import MEASUREMENTS, Background, Measure, names  # noqa: E402
from engines.training._preprocess import fit_scaling, standardise  # noqa: E402


def measure(frames, thresholds):
    counts = torch.from_numpy(frames.astype(np.float32)).flatten(2)
    height, width = frames.shape[2:]
    background = Background(height, width)(counts)
    module = Measure(torch.tensor(thresholds), height, width)
    values = module(counts - background, background).numpy()
    return values.reshape(len(frames), frames.shape[1], len(MEASUREMENTS))


def by_hand(image, threshold):
    """Measure one channel of one cell with NumPy, from the definitions."""
    image = image.astype(np.float64)
    background = np.median([side[1:-1].mean() for side in (image[0], image[-1], image[:, 0], image[:, -1])])
    above = image - background
    size = np.abs(above) * (np.abs(above) > threshold)
    rows, columns = np.indices(image.shape)
    edges = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:] - 4 * image[1:-1, 1:-1]
    return [
        background,
        above.mean(),
        above.max(),
        np.count_nonzero(size),
        (size * columns).sum() / size.sum(),
        (size * rows).sum() / size.sum(),
        edges.var(),
    ]


def test_measurements_are_those_of_numpy():
    frames = np.random.default_rng(0).integers(0, 3000, (5, 2, 12, 17)).astype(np.uint16)
    found = measure(frames, [300.0, 900.0])
    for cell, values in zip(frames, found, strict=True):
        assert values[0] == pytest.approx(by_hand(cell[0], 300), rel=1e-4)
        assert values[1] == pytest.approx(by_hand(cell[1], 900), rel=1e-4)


def test_square_has_its_area_centroid_and_height():
    frames = np.full((1, 1, 20, 30), 100, np.uint16)
    frames[0, 0, 4:9, 10:14] = 350
    background, mean, most, area, x, y, focus = measure(frames, [50.0])[0, 0]
    assert (background, most, area) == (100, 250, 20)
    assert mean == pytest.approx(250 * 20 / 600, rel=1e-5)
    assert (x, y) == (pytest.approx(11.5, abs=1e-3), pytest.approx(6.0, abs=1e-3))
    assert focus > 0


def test_empty_frame_is_centred_and_finite():
    found = measure(np.full((1, 2, 20, 30), 65535, np.uint16), [1.0, 1.0])[0]
    assert found[:, 0] == pytest.approx([65535, 65535])
    assert found[:, 3].tolist() == [0, 0]
    assert found[:, 4:6].tolist() == [[14.5, 9.5]] * 2


def test_background_ignores_one_bad_side():
    frames = np.full((1, 1, 16, 16), 200, np.uint16)
    frames[0, 0, 0] = 4000
    assert measure(frames, [1.0])[0, 0, 0] == pytest.approx(200)


def test_names_follow_the_order_of_the_values():
    assert names(("bf", "df"))[:8] == (
        "bf:background", "bf:mean", "bf:max", "bf:area", "bf:centroid_x", "bf:centroid_y", "bf:focus", "df:background",
    )  # fmt: skip


def test_scaling_is_the_root_mean_square_and_the_borders_noise():
    frames = np.random.default_rng(0).normal(500, 10, (600, 1, 16, 16))
    frames[:, :, 6:10, 6:10] += 400
    scaling = fit_scaling(frames.astype(np.float32))
    assert scaling.scales[0] == pytest.approx(np.sqrt(400**2 / 16 + 10**2), rel=0.02)
    assert scaling.thresholds[0] == pytest.approx(50, rel=0.05)
    standard = standardise(frames.astype(np.float32), scaling, 3.0)
    assert standard.shape == frames.shape
    assert standard.abs().max() == 3.0
    assert abs(standard[:, :, 0].mean().item()) < 0.02


def test_noiseless_frames_still_get_a_scale_and_a_threshold():
    scaling = fit_scaling(np.full((4, 1, 8, 8), 7, np.uint8))
    assert scaling.scales[0] > 0
    assert scaling.thresholds[0] > 0
