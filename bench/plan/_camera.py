"""What is asked: a camera, its rate, and how its cells come."""

from __future__ import annotations

import msgspec

from bench.scale import EngineModel, Model, Shape
from engines.errors import InputError

MOST_SIDE, MOST_CHANNELS, MOST_CLASSES, MOST_CELLS = 4096, 64, 1024, 4096


class Camera(msgspec.Struct, frozen=True):
    """A camera and what is wanted of it.

    Attributes
    ----------
    rate
        Cells per second, on average.
    per_message
        Cells in a message.
    sender_here
        Whether the program that sends runs on the streamer's machine.
    link_bytes_per_s
        Of the network between the two, if there is one.
    """

    shape: Shape
    rate: float
    per_message: int = 1
    sender_here: bool = False
    link_bytes_per_s: float | None = None


def check_camera(camera: Camera) -> None:
    """Raise `InputError` naming the first number that no camera can have."""
    shape = camera.shape
    rules: tuple[tuple[str, object, bool, str], ...] = (
        ("--channels", shape.channels, 1 <= shape.channels <= MOST_CHANNELS, f"1 to {MOST_CHANNELS}"),
        ("--size", shape.height, 1 <= shape.height <= MOST_SIDE, f"1 to {MOST_SIDE} pixels"),
        ("--size", shape.width, 1 <= shape.width <= MOST_SIDE, f"1 to {MOST_SIDE} pixels"),
        ("--classes", shape.classes, 2 <= shape.classes <= MOST_CLASSES, f"2 to {MOST_CLASSES}"),
        ("--rate", camera.rate, 0 < camera.rate <= 1e9, "cells per second, above 0"),
        ("--per-message", camera.per_message, 1 <= camera.per_message <= MOST_CELLS, f"1 to {MOST_CELLS}"),
    )
    for field, found, good, expected in rules:
        if not good:
            raise InputError("plan", field, found, expected)


class Setup(msgspec.Struct, frozen=True):
    """A machine's model, the engine chosen on it, and how many cores to count with."""

    model: Model
    engine: EngineModel
    cores: int
