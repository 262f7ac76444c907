"""The two compressions of CIF files: byte strings worked out by hand, a slow decoder, and round trips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engines.cells.cif._grey import decode_grey
from engines.cells.cif._mask import decode_mask
from engines.cells.cif._source import DamagedError
from tests.support.cif_writer import encode_grey, encode_mask

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=12)


def decode_slowly(data, height, width):
    """Compression 30817 as its description reads, one nibble after the other, in numbers without bounds."""
    nibbles = [nibble for byte in data for nibble in (byte & 15, byte >> 4)]
    plane = np.zeros((height + 1, width + 1), object)
    at = 0
    for y in range(1, height + 1):
        for x in range(1, width + 1):
            value = shift = 0
            while True:
                nibble = nibbles[at]
                at += 1
                value += (nibble & 7) << shift
                shift += 3
                if not nibble & 8:
                    break
            if nibble & 4:
                value -= 1 << shift
            plane[y, x] = value + plane[y - 1, x] + plane[y, x - 1] - plane[y - 1, x - 1]
    return (plane[1:, 1:] % 65536).astype(np.uint16)


@pytest.mark.parametrize(
    ("data", "plane"),
    [
        ("1102", [[1, 2], [3, 6]]),  # residuals 1 1 / 2 0, and the fourth is 2 + 3 - 1 + 0 = 4
        ("0d", [[5]]),  # 101 alone would be -3, so a second nibble: 1101, 0000
        ("07", [[65535]]),  # 111 is -1
        ("6f", [[65527]]),  # -9 is …110 111
        ("cc01", [[100]]),  # 001 100 100
        ("0003", [[0, 0, 3]]),
        ("f07f", [[0, 65535]]),  # 0, then 1111 and 0111 with an unused last nibble: -1 in two nibbles
        ("8888888800", [[0]]),  # nine nibbles of nothing
    ],
)
def test_grey_by_hand(data, plane):
    plane = np.array(plane, np.uint16)
    if plane.shape == (2, 2):
        plane[1, 1] = plane[0, 1] + plane[1, 0] - plane[0, 0]  # a residual of 0
    assert decode_grey(bytes.fromhex(data), *plane.shape).tolist() == plane.tolist()


@settings(deadline=None)
@given(arrays.arrays(np.uint16, SHAPES))
def test_grey_comes_back(plane):
    assert np.array_equal(decode_grey(encode_grey(plane), *plane.shape), plane)


@settings(deadline=None)
@given(arrays.arrays(np.uint16, SHAPES, elements=st.integers(190, 215)))
def test_noise_on_a_background_comes_back(plane):
    assert np.array_equal(decode_grey(encode_grey(plane), *plane.shape), plane)


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.integers(1, 6), st.integers(1, 6))
def test_grey_of_any_bytes_is_what_the_slow_decoder_reads(data, height, width):
    try:
        expected = decode_slowly(data, height, width)
    except IndexError:
        with pytest.raises(DamagedError, match="end before the plane"):
            decode_grey(data, height, width)
        return
    try:
        found = decode_grey(data, height, width)
    except DamagedError as error:
        assert "30 bits" in str(error)
        assert "1" * 10 in "".join(f"{byte >> 3 & 1}{byte >> 7}" for byte in data)
    else:
        assert np.array_equal(found, expected)


def test_a_group_of_ten_nibbles_is_read_and_one_of_eleven_is_not():
    assert decode_grey(bytes.fromhex("8888888808"), 1, 1)[0, 0] == 0
    with pytest.raises(DamagedError, match="more than 30 bits"):
        decode_grey(bytes.fromhex("888888888800"), 1, 1)
    # behind the plane's last pixel nothing matters
    assert decode_grey(bytes.fromhex("03ffffffffffffffff"), 1, 1)[0, 0] == 3


@pytest.mark.parametrize("data", ["", "88", "8f"])
def test_grey_that_ends_early_is_refused(data):
    with pytest.raises(DamagedError):
        decode_grey(bytes.fromhex(data), 1, 1)


def test_mask_by_hand():
    assert decode_mask(bytes.fromhex("000101000001"), 1, 5).tolist() == [[0, 0, 1, 0, 0]]
    assert decode_mask(bytes.fromhex("010200000100"), 1, 5).tolist() == [[1, 1, 1, 0, 1]]
    assert decode_mask(bytes.fromhex("00ff0043"), 18, 18).tolist() == np.zeros((18, 18)).tolist()


@settings(deadline=None)
@given(arrays.arrays(np.uint8, SHAPES, elements=st.integers(0, 3)))
def test_masks_come_back(plane):
    assert np.array_equal(decode_mask(encode_mask(plane), *plane.shape), plane)


def test_long_runs_come_back():
    plane = np.zeros((40, 64), np.uint8)
    plane[3:30] = 1
    assert np.array_equal(decode_mask(encode_mask(plane), *plane.shape), plane)


@pytest.mark.parametrize("data", ["", "0003", "0005", "00", "000400"])
def test_runs_that_do_not_fill_the_mask_are_refused(data):
    with pytest.raises(DamagedError):
        decode_mask(bytes.fromhex(data), 1, 5)
