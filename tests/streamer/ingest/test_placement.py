"""Frames of a series lie in the engine's input by channel name and fitted size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import InputError
from engines.fit import fit_frames
from streamer.ingest import Placement, finite
from streamer.wire import Schema
from tests.support.toy import write_toy_bundle


def schema(*channels, dtype="uint16", shape=(8, 8)):
    return Schema(channels=channels, dtype=dtype, timebase=(1, 10**9), shape=shape)


def frames_of(n, channels, height=8, width=8):
    return np.random.default_rng(n).integers(0, 4096, (n, channels, height, width), dtype=np.uint16)


def placed(placement, frames, slots, size=16):
    pool = np.full((size, 2, 8, 8), 7, np.uint16)
    placement.place(frames, pool, np.array(slots, np.intp))
    untouched = [i for i in range(size) if i not in slots]
    assert (pool[untouched] == 7).all()
    return pool[slots]


@pytest.mark.parametrize(
    ("channels", "order"),
    [
        (("brightfield", "darkfield"), [0, 1]),
        (("darkfield", "brightfield"), [1, 0]),
        (("PI", "darkfield", "spare", "brightfield"), [3, 1]),
        (("brightfield", "darkfield", "PI"), [0, 1]),
    ],
)
def test_channels_are_found_by_name(toy_bundle, channels, order):
    frames = frames_of(3, len(channels))
    found = placed(Placement(schema(*channels), toy_bundle), frames, [4, 5, 6])
    assert np.array_equal(found, frames[:, order])


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 15), min_size=1, max_size=16, unique=True))
def test_cells_go_to_their_slots_however_these_lie(toy_bundle, slots):
    frames = frames_of(len(slots), 2)
    assert np.array_equal(
        placed(Placement(schema("darkfield", "brightfield"), toy_bundle), frames, slots), frames[:, ::-1]
    )


@pytest.mark.parametrize("size", [(8, 8), (6, 9), (11, 5), (20, 20), (1, 1)])
@pytest.mark.parametrize("how", ["crop-pad", "resize"])
def test_other_sizes_are_fitted_as_offline(tmp_path, size, how):
    bundle = write_toy_bundle(tmp_path / "toy", fit=how)
    frames = frames_of(3, 3, *size)
    placement = Placement(schema("x", "darkfield", "brightfield", shape=size), bundle)
    found = placed(placement, frames, [9, 1, 2])
    assert np.array_equal(found, fit_frames(frames[:, [2, 1]], 8, 8, how))


@pytest.mark.parametrize("size", [(8, 8), (5, 12)])
def test_one_cell_is_placed_as_in_a_batch(toy_bundle, size):
    placement = Placement(schema("darkfield", "brightfield", shape=None), toy_bundle)
    frame = frames_of(1, 2, *size)
    out = np.zeros((2, 8, 8), np.uint16)
    placement.place_one(frame[0], out)
    assert np.array_equal(out[None], placed(placement, frame, [3]))


def test_little_endian_views_of_a_message_are_placed(toy_bundle):
    frames = np.frombuffer(frames_of(2, 2).astype("<u2").tobytes(), "<u2").reshape(2, 2, 8, 8)
    assert np.array_equal(placed(Placement(schema("brightfield", "darkfield"), toy_bundle), frames, [0, 1]), frames)


@pytest.mark.parametrize(
    ("offered", "field", "text"),
    [
        (schema("brightfield"), "schema.channels", "also darkfield"),
        (schema("a", "b"), "schema.channels", "also brightfield, darkfield"),
        (schema("Brightfield", "darkfield"), "schema.channels", "also brightfield"),
        (schema("brightfield", "darkfield", "darkfield"), "schema.channels", "distinct"),
        (schema("brightfield", "darkfield", dtype="uint8"), "schema.dtype", "expected uint16"),
        (schema("brightfield", "darkfield", dtype="float32"), "schema.dtype", "expected uint16"),
    ],
)
def test_a_series_the_bundle_cannot_take_is_refused(toy_bundle, offered, field, text):
    with pytest.raises(InputError, match=text) as caught:
        Placement(offered, toy_bundle)
    assert caught.value.field == field


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_frame_with_a_count_that_is_none_is_found(bad):
    frames = np.ones((4, 2, 3, 3), np.float32)
    frames[1, 0, 0, 0] = frames[3, 1, 2, 2] = bad
    assert finite(frames).tolist() == [True, False, True, False]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_integers_are_always_finite(dtype):
    assert finite(np.full((3, 1, 2, 2), np.iinfo(dtype).max, dtype)).tolist() == [True] * 3
