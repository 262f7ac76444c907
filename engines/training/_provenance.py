"""How a bundle came to be, for its manifest: everything needed to make it again, and no path of this machine."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import PurePath

import numpy as np
import torch

from engines.cells._cells import Cells
from engines.training._fit_cells import Trained
from engines.training._plan import Plan
from engines.training._split import Split


def provenance(cells: Cells, data: str, plan: Plan, trained: Trained, parts: Split, command: str) -> dict[str, object]:
    """Return the JSON-able `training` part of the manifest; `data` is `sha256_of` the cells."""
    first = trained.fitted[0]
    return {
        "command": command,
        **plan.facts(),
        "parameters": sum(p.numel() for p in trained.network.parameters()),
        "data": {
            "name": PurePath(cells.name).name,
            "cells": len(cells),
            "frames_sha256": data,
        },
        "split": {
            "seed": plan.seed,
            "train": len(parts.train),
            "validation": len(parts.validation),
            "test": len(parts.test),
            "groups_kept_whole": plan.keep_groups and cells.groups is not None,
        },
        "epochs": len(first.history),
        "picked_epoch": first.epoch,
        "validation": first.history[first.epoch - 1],
        "picked_epochs": [member.epoch for member in trained.fitted],
        "scales": _rounded(trained.scaling.scales),
        "area_thresholds": _rounded(trained.scaling.thresholds),
        "class_weights": _rounded(first.class_weights),
        "temperature": trained.calibration.temperature,
        # The mix of classes that the calibrated probabilities take for granted: what `cellgate evaluate` goes by.
        "prior": dict(zip(trained.classes, _rounded(trained.class_mix), strict=True)),
        "threads": plan.threads or torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "onnx", "openvino", "numpy")},
        },
    }


def _rounded(values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
