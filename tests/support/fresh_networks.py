"""Bundles with untrained networks of every kind."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

CLASSES = ("a", "b", "c")


def fresh_bundle(path, kind, side, *, front=None, symmetries=1, dtype="uint16"):
    """Write a bundle around a network with fresh weights."""
    from engines import networks
    from engines.bundle import InputSpec, OutputSpec, write_bundle
    from engines.training._calibrate import Calibration
    from engines.training._export import Classifier, export
    from engines.training._normalise import Percentile, Quantile
    from engines.training._preprocess import Scaling
    from engines.training._unfamiliar import Unfamiliarity

    torch.manual_seed(0)
    network = networks.create(kind, 2, len(CLASSES), side, side).eval()
    rng = np.random.default_rng(0)
    with torch.inference_mode():
        embedding = network(torch.from_numpy(rng.normal(size=(24, 2, side, side)).astype(np.float32)))[1].numpy()
    fronts = {
        None: torch.nn.Identity,
        "percentile": lambda: Percentile(side, side),
        "quantile": lambda: Quantile(torch.randn(4, 2, side, side)),
    }
    classifier = Classifier(
        network,
        fronts[front](),
        Scaling(np.full(2, 50, np.float32), np.full(2, 30, np.float32), np.full(2, 100, np.float32)),
        Calibration(np.zeros(3), 1.0, np.zeros(3)),
        Unfamiliarity(embedding, np.arange(24) % 3),
        10.0,
        side,
        side,
        symmetries=symmetries,
    )
    with torch.inference_mode():
        measurements = classifier(torch.zeros(1, 2, side, side))[2].shape[1]
    return write_bundle(
        path,
        name=kind,
        classes=CLASSES,
        inputs=InputSpec(("x", "y"), dtype, side, side),
        outputs=OutputSpec(embedding.shape[1], tuple(f"m{i}" for i in range(measurements))),
        graphs={"fp32": (export(classifier, dtype), 17)},
    )


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
