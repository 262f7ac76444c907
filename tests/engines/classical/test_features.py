import sys

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("skimage")
pytest.importorskip("sklearn")

from engines.classical import features
from engines.errors import InputError, MissingExtraError

SIDE = 41


def ellipse(y=20.0, x=20.0, a=9.0, b=9.0, angle=0.0, height=400, side=SIDE, background=100):
    """Draw one cell `(side, side)`: an ellipse of half axes a and b, turned by `angle`, on a flat background."""
    rows, columns = np.indices((side, side))
    along = (rows - y) * np.cos(angle) + (columns - x) * np.sin(angle)
    across = (columns - x) * np.cos(angle) - (rows - y) * np.sin(angle)
    inside = (along / a) ** 2 + (across / b) ** 2 <= 1
    return (background + height * inside).astype(np.uint16)


def textured(seed, cells=6, channels=2, height=40, width=40):
    """Draw cells with structure of their own: no two features are alike by symmetry."""
    generator = np.random.default_rng(seed)
    frames = generator.normal(500, 8, (cells, channels, height, width))
    rows, columns = np.indices((height, width))
    for cell in frames:
        for channel in cell:
            y, x = generator.uniform(14, 26, 2)
            a, b = generator.uniform(6, 11, 2)
            inside = ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 <= 1
            channel[inside] += 300 * generator.choice((-1, 1)) + generator.normal(0, 120, inside.sum())
    return np.clip(frames, 0, 65535).astype(np.uint16)


def measure(images, channels=("a",)):
    frames = np.stack(images)
    values, names = features(frames[:, None] if frames.ndim == 3 else frames, channels)
    return dict(zip(names, values.T, strict=True))


# What is drawn is found


@pytest.mark.parametrize("height", [400, -90])
def test_disc_has_its_area_and_is_round(height):
    found = measure([ellipse(a=r, b=r, height=height) for r in (6, 9, 12)])
    radii = np.sqrt(found["a:area"] / np.pi)
    # The smoothing before the threshold takes the outline half a pixel outwards.
    assert radii == pytest.approx([6.5, 9.5, 12.5], abs=0.35)
    assert found["a:eccentricity"].max() < 0.1
    assert found["a:solidity"].min() > 0.93
    assert found["a:form_factor"].min() > 0.9
    assert found["a:major_axis"] == pytest.approx(2 * radii, rel=0.03)
    assert found["a:components"].tolist() == [1, 1, 1]
    assert found["a:background"].tolist() == [100, 100, 100]
    assert np.sign(found["a:mean"]).tolist() == [np.sign(height)] * 3


def test_ellipse_has_its_axes_at_any_angle():
    found = measure([ellipse(a=14, b=7, angle=angle) for angle in (0, 0.4, 1.1, np.pi / 2)])
    assert found["a:major_axis"] == pytest.approx([29] * 4, abs=1.0)
    assert found["a:minor_axis"] == pytest.approx([15] * 4, abs=1.0)
    assert found["a:eccentricity"] == pytest.approx([np.sqrt(1 - (15 / 29) ** 2)] * 4, abs=0.03)


def test_square_has_the_moments_perimeter_and_hull_of_a_square():
    from engines.classical._shape import shape

    mask = np.zeros((1, 20, 24), np.bool_)
    mask[0, 4:12, 6:14] = True
    found = shape(mask, mask.astype(np.float64))
    assert found["area"] == 64
    assert found["solidity"] == pytest.approx(1)
    assert found["extent"] == 1
    assert found["perimeter"] == 28
    assert found["eccentricity"] == pytest.approx(0, abs=1e-6)
    # The second moment of a square of side s about its middle is s²/12; the ellipse's axis is 4 times its root.
    assert found["major_axis"] == pytest.approx(4 * np.sqrt(64 / 12))
    assert found["hu1"] == pytest.approx(2 * (64 / 12 - 1 / 12) / 64)
    np.testing.assert_allclose(found["hu1"], found["weighted_hu1"])


def test_shape_agrees_with_scikit_image():
    from skimage.measure import regionprops

    from engines.classical._segment import segment
    from engines.classical._shape import shape

    above = textured(3)[:, 0].astype(np.float64) - 500
    mask = segment(above).mask
    found = shape(mask, above)
    assert mask.any(axis=(1, 2)).all()
    for i, one in enumerate(mask):
        region = regionprops(one.view(np.uint8), intensity_image=np.abs(above[i]))[0]
        assert found["area"][i] == region.area
        assert found["perimeter"][i] == pytest.approx(region.perimeter)
        assert found["extent"][i] == pytest.approx(region.extent)
        assert found["eccentricity"][i] == pytest.approx(region.eccentricity, abs=0.01)
        # Ours counts a pixel as a square, theirs as a point.
        for ours, theirs in (("major_axis", "axis_major_length"), ("minor_axis", "axis_minor_length")):
            assert found[ours][i] ** 2 == pytest.approx(getattr(region, theirs) ** 2 + 16 / 12, rel=1e-6)
        np.testing.assert_allclose([found[f"hu{k + 1}"][i] for k in range(7)], region.moments_hu, rtol=1e-6, atol=1e-12)
        apart = np.hypot(*np.subtract(region.centroid, region.centroid_weighted))
        assert found["mass_displacement"][i] == pytest.approx(apart, rel=1e-6)
        # Theirs counts the pixels of the hull, ours has its area.
        assert found["solidity"][i] == pytest.approx(region.solidity, abs=0.06)


def test_texture_agrees_with_scikit_image():
    from skimage.feature import graycomatrix, graycoprops

    from engines.classical._segment import Segmented
    from engines.classical._texture import texture

    levels = np.random.default_rng(5).integers(0, 16, (3, 12, 15))
    levels[:, 0, 0], levels[:, 0, 1] = 0, 15
    whole = np.ones(levels.shape, np.bool_)
    found = texture(levels * (16 / 15), Segmented(whole, whole, np.ones(3)))
    angles = (0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
    for i, image in enumerate(levels):
        # At distance 1 the diagonals of both are the same pixels; at others theirs are rounded to a circle.
        pairs = graycomatrix(image.astype(np.uint8), [1], angles, levels=16, symmetric=True)
        pairs = pairs.sum(axis=3, keepdims=True).astype(np.float64)
        pairs /= pairs.sum()
        for name in ("contrast", "dissimilarity", "homogeneity", "energy", "correlation"):
            assert found[f"{name}1"][i] == pytest.approx(graycoprops(pairs, name)[0, 0], rel=1e-9), name


def test_noise_without_a_cell_is_no_cell():
    frames = np.random.default_rng(2).normal(800, 20, (40, 1, 40, 40)).astype(np.float32)
    found = measure(list(frames))
    assert (found["a:area"] <= 4).mean() >= 0.9
    assert np.isfinite(found["a:mean"]).all()


def test_second_cell_counts_as_a_component_and_the_larger_is_measured():
    two = np.maximum(ellipse(y=12, a=7, b=7), ellipse(y=32, a=4, b=4))
    found = measure([two, ellipse(y=12, a=7, b=7)])
    assert found["a:components"].tolist() == [2, 1]
    assert found["a:area"][0] == found["a:area"][1]


def test_granularity_tells_small_from_large_structure():
    spots = np.full((SIDE, SIDE), 100, np.uint16)
    spots[3:-3:6, 3:-3:6] = 500
    found = measure([spots, ellipse(a=12, b=12), ellipse(a=12, b=12, height=-90)])
    bright3, dark3 = found["a:bright3"], found["a:dark3"]
    assert bright3[0] == pytest.approx(1)
    assert bright3[1] < 0.1
    assert dark3[0] == 0
    assert found["a:bright3"][2] == found["a:bright11"][2] == 0


def test_radial_profile_follows_the_distance_from_the_middle():
    rows, columns = np.indices((SIDE, SIDE))
    cone = 100 + 40 * np.maximum(12 - np.hypot(rows - 20, columns - 20), 0)
    found = measure([cone.astype(np.float32)])
    means = np.array([found[f"a:frame_ring{i}_mean"][0] for i in range(1, 9)])
    middles = (np.arange(8) + 0.5) * (SIDE / 2) / 8
    assert means[:4] == pytest.approx(40 * (12 - middles)[:4], rel=0.12)
    assert means[5:] == pytest.approx([0, 0, 0], abs=1e-3)


def test_channels_together():
    a, b = ellipse(height=300), ellipse(height=900, background=40)
    moved = ellipse(x=24)
    found = measure([np.stack((a, b, moved))], ("a", "b", "c"))
    assert found["a|b:correlation"] == pytest.approx(1)
    assert found["a|b:overlap"] == pytest.approx(1)
    assert found["a|b:common"] == 1
    assert found["a|b:apart"] == 0
    assert found["a|c:apart"] == pytest.approx(4, abs=1e-5)
    assert 0.3 < found["a|c:common"] < 0.8
    assert found["a|c:correlation"] < 0.7
    inverted = measure([np.stack((a, (1000 - a.astype(np.int64)).astype(np.uint16)))], ("a", "b"))
    assert inverted["a|b:correlation"] == pytest.approx(-1)


# What must not matter


@pytest.mark.parametrize("turn", [1, 2, 3, "mirror"])
def test_features_do_not_change_with_the_way_a_cell_lies(turn):
    frames = textured(11)
    turned = frames[..., ::-1] if turn == "mirror" else np.rot90(frames, turn, axes=(2, 3))
    expected, names = features(frames, ("a", "b"))
    found, _ = features(np.ascontiguousarray(turned), ("a", "b"))
    scale = np.maximum(np.abs(expected).max(axis=0), 1e-6)
    off = np.abs(found - expected).max(axis=0) / scale
    # Hu's seventh changes its sign in the mirror, by definition.
    chiral = np.array([name.endswith("hu7") for name in names])
    assert {name: o for name, o in zip(names, off, strict=True) if o > 1e-4} == {} or turn == "mirror"
    assert off[~chiral].max() <= 1e-4
    np.testing.assert_allclose(np.abs(found[:, chiral]), np.abs(expected[:, chiral]), rtol=1e-3, atol=1e-10)


def test_shape_does_not_change_with_place():
    found = measure([ellipse(y=y, x=x, a=8, b=5) for y, x in ((20, 20), (13, 25), (26, 11))])
    for name in ("area", "perimeter", "eccentricity", "solidity", "hu1", "ring1_mean", "contrast1"):
        assert np.ptp(found[f"a:{name}"]) <= 1e-5 * np.abs(found[f"a:{name}"]).max(), name


def test_cells_measured_together_are_those_measured_alone():
    frames = textured(4, cells=5)
    frames[2] = 500
    together, _ = features(frames, ("a", "b"))
    alone = np.concatenate([features(frame[None], ("a", "b"))[0] for frame in frames])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_more_cells_than_are_measured_at_a_time():
    frames = np.ascontiguousarray(textured(4, cells=3, channels=1)[..., 10:26, 12:28])
    many, _ = features(np.tile(frames, (100, 1, 1, 1)), ("a",))
    np.testing.assert_array_equal(many[:3], many[-3:])
    assert len(many) == 300


def test_dtype_does_not_matter():
    frames = textured(6, cells=2) // 8
    expected, names = features(frames, ("a", "b"))
    assert frames.max() < 256
    for dtype in (np.uint8, np.float32):
        found, same = features(frames.astype(dtype), ("a", "b"))
        assert same == names
        np.testing.assert_array_equal(found, expected)


# What there may be


def degenerate():
    generator = np.random.default_rng(0)
    dot = np.full((2, 20, 20), 7, np.uint16)
    dot[:, 10, 10] = 65535
    corner = np.zeros((2, 20, 20), np.uint16)
    corner[:, 0, 0] = 9
    half = np.zeros((2, 20, 20), np.uint16)
    half[:, :10] = 1000
    return {
        "zero": np.zeros((2, 20, 20), np.uint16),
        "saturated": np.full((2, 20, 20), 255, np.uint8),
        "dot": dot,
        "corner": corner,
        "half": half,
        "line": np.eye(20, dtype=np.uint16)[None].repeat(2, 0) * 500,
        "noise": generator.integers(0, 65536, (2, 20, 20)).astype(np.uint16),
        "huge": generator.choice(np.array([-1e38, 1e38], np.float32), (2, 20, 20)),
        "tiny": generator.normal(0, 1e-38, (2, 20, 20)).astype(np.float32),
        "one empty": np.stack((np.zeros((20, 20)), generator.normal(9, 3, (20, 20)))).astype(np.float32),
    }


@pytest.mark.parametrize("name", degenerate())
def test_degenerate_frames_have_finite_features(name):
    values, names = features(degenerate()[name][None], ("a", "b"))
    assert values.shape == (1, len(names))
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 5), (64, 17)])
@pytest.mark.parametrize("channels", [1, 4])
def test_any_size_and_number_of_channels(shape, channels):
    frames = np.random.default_rng(1).integers(0, 4000, (3, channels, *shape)).astype(np.uint16)
    values, names = features(frames, tuple(f"c{i}" for i in range(channels)))
    assert values.shape == (3, len(names))
    assert len(set(names)) == len(names)
    assert np.isfinite(values).all()


def test_constant_frame_has_no_cell_and_no_spread():
    found = measure([np.full((30, 30), 700, np.uint16)])
    for name in ("area", "perimeter", "hu1", "std", "contrast1", "bright3", "components", "border"):
        assert found[f"a:{name}"] == 0, name
    assert found["a:background"] == 700
    assert found["a:energy1"] == 1


def test_no_cells_still_have_names():
    values, names = features(np.zeros((0, 2, 20, 20), np.uint8), ("a", "b"))
    assert values.shape == (0, len(names))
    assert names == features(np.zeros((1, 2, 20, 20), np.uint8), ("a", "b"))[1]


@pytest.mark.parametrize(
    ("frames", "channels", "field"),
    [
        (np.zeros((2, 20, 20), np.uint8), ("a",), "frames"),
        (np.zeros((2, 0, 20, 20), np.uint8), (), "frames"),
        (np.zeros((2, 1, 20, 20), np.int64), ("a",), "frames: found dtype int64"),
        (np.full((2, 1, 20, 20), np.nan, np.float32), ("a",), "frames: found NaN"),
        (np.full((2, 1, 20, 20), 3e38, np.float32), ("a",), "frames: found NaN"),
        (np.zeros((2, 2, 20, 20), np.uint8), ("a",), "channels"),
        (np.zeros((2, 2, 20, 20), np.uint8), ("a", "a"), "channels"),
    ],
)
def test_frames_that_are_none_are_refused(frames, channels, field):
    with pytest.raises(InputError, match=f"features: {field}"):
        features(frames, channels)


@pytest.mark.parametrize("module", ["scipy", "skimage", "sklearn"])
def test_missing_extra_is_named(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"the classical baseline needs .* 'cellgate\[classical\]'"):
        features(np.zeros((1, 1, 20, 20), np.uint8), ("a",))
