"""Cells of any size come to the bundle's size the same way for one cell and for many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.fit import background, fit_frames, fit_into

SIDE = st.integers(1, 12)
DTYPE = st.sampled_from(["uint8", "uint16", "float32"])
HOW = st.sampled_from(["crop-pad", "resize"])
CHECKED = settings(derandomize=True, deadline=None, max_examples=60)


def random_frames(seed, shape, dtype):
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(0, 1000, shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def test_frames_of_the_right_size_are_the_same_array():
    frames = random_frames(0, (3, 2, 5, 7), "uint16")
    assert fit_frames(frames, 5, 7, "resize") is frames
    assert fit_frames(frames, 5, 7, "crop-pad") is frames


def test_equal_sizes_are_copied_into_place():
    frames = random_frames(1, (2, 2, 5, 7), "uint8")
    out = np.zeros_like(frames)
    fit_into(frames, out, "resize")
    assert np.array_equal(out, frames)


@pytest.mark.parametrize("have", [3, 4, 5])
@pytest.mark.parametrize("want", [3, 4, 5, 8, 9])
def test_crop_pad_keeps_the_centre(have, want):
    """The middle pixel (for even sides the right one of the two) stays the middle one, up to half a pixel."""
    frames = np.zeros((1, 1, have, have), np.uint16)
    frames[0, 0, have // 2, have // 2] = 900
    out = fit_frames(frames, want, want, "crop-pad")
    rows, columns = np.nonzero(out[0, 0] == 900)
    assert rows.tolist() == columns.tolist()
    assert len(rows) == 1
    centre_before, centre_after = have // 2 + 0.5 - have / 2, rows[0] + 0.5 - want / 2
    assert abs(centre_before - centre_after) <= 0.5


def test_crop_takes_the_middle():
    frames = np.arange(7 * 5, dtype=np.uint8).reshape(1, 1, 7, 5)
    assert np.array_equal(fit_frames(frames, 3, 3, "crop-pad")[0, 0], frames[0, 0, 2:5, 1:4])


def test_pad_surrounds_the_frame_with_its_own_background():
    frames = np.full((2, 2, 3, 3), 10, np.uint16)
    frames[0, 1], frames[1] = 70, 500
    frames[:, :, 1, 1] = 9
    out = fit_frames(frames, 7, 5, "crop-pad")
    assert np.array_equal(out[:, :, 2:5, 1:4], frames)
    out[:, :, 2:5, 1:4] = 0
    for cell, channel, expected in ((0, 0, 10), (0, 1, 70), (1, 0, 500), (1, 1, 500)):
        assert sorted(set(out[cell, channel].ravel().tolist())) == [0, expected]


def test_one_side_is_cropped_while_the_other_is_padded():
    frames = np.zeros((1, 1, 3, 9), np.uint16)
    frames[..., 3:6] = 5
    out = fit_frames(frames, 5, 3, "crop-pad")
    assert np.array_equal(out[0, 0, 1:4], np.full((3, 3), 5))
    assert (out[0, 0, [0, 4]] == 0).all()


def border(frame):
    height, width = frame.shape
    return [frame[y, x] for y in range(height) for x in range(width) if y in (0, height - 1) or x in (0, width - 1)]


@CHECKED
@given(seed=st.integers(0, 99), height=SIDE, width=SIDE, dtype=DTYPE)
def test_background_is_the_median_of_the_border(seed, height, width, dtype):
    frames = random_frames(seed, (2, 2, height, width), dtype)
    found = background(frames)
    assert found.shape == (2, 2)
    assert found.dtype == np.float32
    expected = [[np.median(border(channel)) for channel in cell] for cell in frames]
    assert np.allclose(found, expected, rtol=1e-6)


@CHECKED
@given(value=st.integers(0, 255), dtype=DTYPE, height=SIDE, width=SIDE, to_height=SIDE, to_width=SIDE, how=HOW)
def test_a_constant_stays_that_constant(value, dtype, height, width, to_height, to_width, how):
    out = fit_frames(np.full((1, 2, height, width), value, dtype), to_height, to_width, how)
    assert out.shape == (1, 2, to_height, to_width)
    assert out.dtype == dtype
    assert np.allclose(out, value, rtol=1e-6)


@CHECKED
@given(seed=st.integers(0, 99), n=st.integers(1, 4), sides=st.tuples(SIDE, SIDE, SIDE, SIDE), dtype=DTYPE, how=HOW)
def test_a_batch_is_fitted_cell_by_cell(seed, n, sides, dtype, how):
    height, width, to_height, to_width = sides
    frames = random_frames(seed, (n, 2, height, width), dtype)
    together = fit_frames(frames, to_height, to_width, how)
    alone = [fit_frames(frames[i : i + 1], to_height, to_width, how)[0] for i in range(n)]
    assert np.allclose(together, alone, rtol=1e-5, atol=1e-2 if dtype == "float32" else 0)


@CHECKED
@given(seed=st.integers(0, 99), sides=st.tuples(SIDE, SIDE, SIDE, SIDE), dtype=st.sampled_from(["uint8", "uint16"]))
def test_resize_stays_between_the_least_and_the_greatest_count(seed, sides, dtype):
    """The weights of a pixel are not negative and sum to 1: no ringing, no wrap-around at the ends of the dtype."""
    height, width, to_height, to_width = sides
    frames = random_frames(seed, (1, 1, height, width), dtype)
    frames.flat[0], frames.flat[-1] = 0, np.iinfo(dtype).max
    out = fit_frames(frames, to_height, to_width, "resize")
    assert out.min() >= frames.min()
    assert out.max() <= frames.max()


@pytest.mark.parametrize("size", [(24, 24), (48, 96), (66, 66), (20, 31)])
def test_resize_keeps_the_mean_of_a_cell_on_a_flat_background(size):
    y, x = np.mgrid[:48, :48]
    blob = 200 + 3000 * np.exp(-((y - 24.0) ** 2 + (x - 22.0) ** 2) / 50)
    frames = np.rint(blob)[None, None].astype(np.uint16)
    out = fit_frames(frames, *size, "resize")
    assert out.mean() == pytest.approx(frames.mean(), rel=0.01)


def test_resize_moves_a_pixel_to_the_same_share_of_the_frame():
    frames = np.zeros((1, 1, 16, 16), np.float32)
    frames[0, 0, 4, 11] = 16
    out = fit_frames(frames, 8, 8, "resize")[0, 0]
    assert np.unravel_index(out.argmax(), out.shape) == (2, 5)
    assert out.sum() == pytest.approx(4, rel=1e-5)  # a quarter of the pixels, the same mean


def test_resize_by_halves_is_bilinear():
    frames = np.array([0, 100], np.float32).reshape(1, 1, 1, 2)
    assert fit_frames(frames, 1, 4, "resize").ravel().tolist() == pytest.approx([0, 25, 75, 100])


def test_no_cells_are_fitted_to_no_cells():
    assert fit_frames(np.zeros((0, 2, 3, 3), np.uint16), 5, 5, "crop-pad").shape == (0, 2, 5, 5)
    assert fit_frames(np.zeros((0, 2, 3, 3), np.uint16), 5, 5, "resize").shape == (0, 2, 5, 5)
