"""Decode compression 30817: residuals in groups of nibbles, summed over rows and columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.cells.cif._source import DamagedError

# 30 bits; a residual of 16-bit counts takes 6 nibbles. Longer groups are damage, and would cost a pass each.
MAX_NIBBLES = 10


def decode_grey(data: bytes, height: int, width: int) -> NDArray[np.uint16]:
    """Return the `(height, width)` plane that the strips' bytes, joined, stand for.

    The stream is of nibbles, the low one of a byte first. A group of nibbles is one number: three bits in each, least
    significant first; bit 8 says that another nibble follows; bit 4 of the last is the sign. A number is the pixel
    minus its left and upper neighbours plus the one up and to the left, outside the plane 0. Sums wrap at 16 bits.

    Raises `DamagedError` where the bytes end before the plane does.
    """
    pixels = height * width
    return _residuals(data, pixels).reshape(height, width).cumsum(0, dtype=np.uint16).cumsum(1, dtype=np.uint16)


def most_bytes(pixels: int) -> int:
    """Return the number of bytes that a plane of so many pixels can take up at most."""
    return (pixels * MAX_NIBBLES + 1) // 2


def _residuals(data: bytes, pixels: int) -> NDArray[np.uint16]:
    packed = np.frombuffer(data, np.uint8)
    nibbles = np.empty(2 * packed.size, np.uint8)
    np.bitwise_and(packed, 15, out=nibbles[0::2])
    np.right_shift(packed, 4, out=nibbles[1::2])
    goes_on = nibbles > 7
    # Every nibble is taken for a last one and then, pass by pass, given the lower bits of those before it in its
    # group: eightfold plus theirs. What this makes of nibbles that are not last is left out at the end. That is faster
    # in NumPy than to work on the last ones alone, for groups are short and whole arrays are contiguous.
    numbers = (nibbles ^ 4).astype(np.uint16)
    numbers -= 4
    low = (nibbles & 7).astype(np.uint16)
    before = goes_on[:-1]  # of the nibble k places on: do the k before it all belong to its group
    for k in range(1, MAX_NIBBLES):
        if not before.any():
            break
        flag = before.astype(np.uint16)
        later = numbers[k:]
        later <<= flag * np.uint16(3)
        later += low[:-k] * flag
        before = before[1:] & goes_on[: -k - 1]
    residuals = numbers[~goes_on]
    if residuals.size < pixels:
        raise DamagedError("a plane's data end before the plane does")
    if before.any() and np.count_nonzero(~goes_on[: int(before.argmax()) + MAX_NIBBLES]) < pixels:
        raise DamagedError("a plane's data hold a number of more than 30 bits")
    return residuals[:pixels]
