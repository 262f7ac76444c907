"""A bundle around a network that was never trained: for those who ask what it costs and not what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from engines import networks
from engines.bundle import Bundle, Dtype, InputSpec, OutputSpec, write_bundle
from engines.training._calibrate import Calibration
from engines.training._export import OPSET, Classifier, export
from engines.training._normalise import Percentile, Quantile
from engines.training._preprocess import Scaling
from engines.training._unfamiliar import Unfamiliarity

Front = Literal["percentile", "quantile"]
CELLS_PER_CLASS = 8
"""Of noise, for an unfamiliarity that is as large as a trained one."""


def fresh_bundle(
    path: str | Path,
    network: str,
    channels: tuple[str, ...],
    classes: tuple[str, ...],
    height: int,
    width: int,
    *,
    dtype: Dtype = "uint16",
    front: Front | None = None,
    symmetries: int = 1,
    seed: int = 0,
) -> Bundle:
    """Write a bundle with everything a trained one has: background, scaling, network, calibration, measurements.

    Parameters
    ----------
    network
        One of `engines.networks.NETWORKS`.
    front, symmetries
        As the trainer's recipe has them: a normalisation of each cell, and over how many symmetries to average.

    Raises
    ------
    InputError
        No network has this name, or it does not work on frames of this size.
    """
    torch.manual_seed(seed)
    made = networks.create(network, len(channels), len(classes), height, width).eval()
    _unlike(made)
    rng = np.random.default_rng(seed)
    cells = CELLS_PER_CLASS * len(classes)
    noise = rng.normal(size=(cells, len(channels), height, width)).astype(np.float32)
    with torch.inference_mode():
        embedding = made(torch.from_numpy(noise))[1].numpy()
    counts = len(channels)
    classifier = Classifier(
        made,
        _fronts(counts, height, width)[front](),
        Scaling(*(np.full(counts, value, np.float32) for value in (50, 30, 100))),
        Calibration(np.zeros(len(classes)), 1.0, np.zeros(len(classes))),
        Unfamiliarity(embedding, np.arange(cells) % len(classes)),
        10.0,
        height,
        width,
        symmetries=symmetries,
    )
    with torch.inference_mode():
        measurements = classifier(torch.zeros(1, counts, height, width))[2].shape[1]
    return write_bundle(
        path,
        name=network,
        classes=classes,
        inputs=InputSpec(channels, dtype, height, width),
        outputs=OutputSpec(embedding.shape[1], tuple(f"m{number}" for number in range(measurements))),
        graphs={"fp32": (export(classifier, dtype), OPSET)},
        training={"network": network, "trained": "never"},
    )


def _unlike(network: nn.Module) -> None:
    """Give batch norms statistics as training leaves them: equal ones are exported as one, and not quantised."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.bias.data, layer.running_mean):
                if values is not None:
                    values.normal_(0.0, 0.1)


def _fronts(channels: int, height: int, width: int) -> dict[Front | None, Callable[[], nn.Module]]:
    return {
        None: nn.Identity,
        "percentile": lambda: Percentile(height, width),
        "quantile": lambda: Quantile(torch.randn(4, channels, height, width)),
    }
