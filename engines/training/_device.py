"""Where PyTorch computes."""

from __future__ import annotations

import torch

from engines.errors import InputError
from engines.training._plan import Device


def device_of(device: Device) -> torch.device:
    """Return PyTorch's device; `auto` is a GPU where PyTorch finds one. `InputError` for one that is not there."""
    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise InputError("training", "device", device, "cpu: PyTorch finds no CUDA GPU here")
    return torch.device("cuda" if found and device != "cpu" else "cpu")
