"""How a bundle came to be, for its manifest: everything needed to make it again, and no path of this machine."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import PurePath

import numpy as np
import torch

from engines.cells._cells import Cells
from engines.training._calibrate import Calibration
from engines.training._preprocess import Scaling
from engines.training._recipe import Recipe
from engines.training._split import Split
from engines.training._train import Fitted


def provenance(
    cells: Cells,
    network: str,
    guide: str | None,
    fitted: Fitted,
    parts: Split,
    scaling: Scaling,
    calibration: Calibration,
    recipe: Recipe,
    seed: int,
    command: str,
) -> dict[str, object]:
    """Return the JSON-able `training` part of the manifest."""
    return {
        "command": command,
        "network": network,
        "guide": guide,
        "parameters": sum(p.numel() for p in fitted.network.parameters()),
        "data": {
            "name": PurePath(cells.name).name,
            "cells": len(cells),
            "frames_sha256": _sha256(cells),
        },
        "split": {
            "seed": seed,
            "train": len(parts.train),
            "validation": len(parts.validation),
            "test": len(parts.test),
        },
        "recipe": asdict(recipe),
        "picked_epoch": fitted.epoch,
        "validation": fitted.history[fitted.epoch - 1],
        "scales": _rounded(scaling.scales),
        "area_thresholds": _rounded(scaling.thresholds),
        "class_weights": _rounded(fitted.class_weights),
        "temperature": calibration.temperature,
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "onnx", "openvino", "numpy")},
        },
    }


def _sha256(cells: Cells) -> str:
    """Hash the frames' bytes, little-endian, all channels."""
    frames = np.ascontiguousarray(cells.frames, dtype=cells.frames.dtype.newbyteorder("<"))
    return hashlib.sha256(frames.data).hexdigest()


def _rounded(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
