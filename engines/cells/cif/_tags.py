"""Tag numbers and value types: TIFF 6.0's, and the private ones of the instrument's software.

The private ones are as Bio-Formats' FlowSightReader and the R package IFC read them.
"""

from __future__ import annotations

WIDTH, HEIGHT, BITS, COMPRESSION = 256, 257, 258, 259
STRIP_OFFSETS, STRIP_BYTES = 273, 279

CHANNEL_COUNT, TYPE, OBJECT, DATE, INSTRUMENT = 33000, 33002, 33003, 33004, 33006
CHANNEL_NAMES, CHANNEL_DESCRIPTIONS, CHANNEL_WIDTH, OBJECT_COUNT, XML = 33007, 33008, 33009, 33018, 33027
PROCESSED_BY, ACQUIRED_BY = 33066, 33069
CENTRE_X, CENTRE_Y = 33071, 33072

# Any of these in IFD 0 tells a CIF or RIF from an ordinary TIFF.
TELLING = frozenset({CHANNEL_COUNT, CHANNEL_NAMES, OBJECT_COUNT, XML})

RAW, GREY, MASK = 1, 30817, 30818
IMAGE_PLANE, MASK_PLANE = 2, 3

# TIFF value type: NumPy's, for those a number is read from. ASCII (2) and the like are bytes.
NUMBERS = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 8: "i2", 9: "i4", 11: "f4", 12: "f8"}
UNSIGNED = {1: "u1", 3: "u2", 4: "u4"}
