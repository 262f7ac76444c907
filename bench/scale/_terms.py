"""What a cell costs, by what it is paid for: the terms of the model."""

from __future__ import annotations

import msgspec


class Shape(msgspec.Struct, frozen=True):
    """What a camera sends: frames `(channels, height, width)` of so many bytes per count, and how many classes.

    `classes` are those the network tells apart.
    """

    channels: int
    height: int
    width: int
    classes: int = 5
    count_bytes: int = 2

    @property
    def bytes(self) -> int:
        """Bytes of one cell's frame."""
        return self.channels * self.pixels * self.count_bytes

    @property
    def pixels(self) -> int:
        """Of one channel."""
        return self.height * self.width


def streaming_terms(shape: Shape, per_message: int) -> dict[str, float]:
    """Return the units of one cell on its way through the streamer, beside the engine.

    A message is received, checked and acknowledged as a whole, so a cell pays its share of one; every byte is
    received and written into a slot; every class has a probability that gates and journal look at.
    """
    return {
        "per_message": 1 / per_message,
        "per_cell": 1.0,
        "per_byte": float(shape.bytes),
        "per_class": float(shape.classes),
    }


def engine_terms(shape: Shape, batch: int, multiply_adds: float) -> dict[str, float]:
    """Return the units of one batch on the engine.

    It is started and collected once; every cell pays for its small layers, every byte for being copied, standardised
    and measured, and every multiply-add of the network.
    """
    return {
        "per_batch": 1.0,
        "per_cell": float(batch),
        "per_byte": float(batch * shape.bytes),
        "per_multiply_add": batch * multiply_adds,
    }


def work_terms(shape: Shape) -> dict[str, float]:
    """Return the units of a network's multiply-adds: of one network they are a sum of these for every frame and class.

    The first layer's grow with channels and pixels, the others' with pixels, the last one's with classes.
    """
    return {
        "per_pixel": float(shape.pixels),
        "per_pixel_and_channel": float(shape.pixels * shape.channels),
        "per_class": float(shape.classes),
        "fixed": 1.0,
    }
