"""Bundles with untrained networks of every kind."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

CLASSES = ("a", "b", "c")


def fresh_bundle(path, kind, side, *, front=None, symmetries=1, dtype="uint16"):
    """Write a bundle around a network with fresh weights."""
    from engines.training.fresh import fresh_bundle as write

    return write(path, kind, ("x", "y"), CLASSES, side, side, front=front, symmetries=symmetries, dtype=dtype)


def noise(bundle, n, seed=1):
    """Return `n` frames of noise with a brighter middle."""
    rng = np.random.default_rng(seed)
    channels, height, width = bundle.frame_shape
    frames = 100 + rng.normal(0, 20, (n, channels, height, width))
    frames[:, :, height // 4 : -(height // 4), width // 4 : -(width // 4)] += rng.uniform(0, 100, (n, channels, 1, 1))
    return frames.clip(0, 255).astype(bundle.dtype)


def ask(engine, frames):
    """Return the three outputs; the engine is closed."""
    engine.submit(frames)
    answer = engine.collect(60)
    engine.close()
    return answer.probabilities, answer.embedding, answer.measurements


def worst(found, expected):
    """Return the largest error of each output, relative to its largest value but for the probabilities."""
    scales = (1.0, *(np.abs(values).max() for values in expected[1:]))
    return [float(np.abs(f - e).max() / scale) for f, e, scale in zip(found, expected, scales, strict=True)]
