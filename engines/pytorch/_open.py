"""Open a bundle in PyTorch on one device or several."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from engines.backends import DEFAULT_LADDER, Arithmetic, Devices, Engine, Mode, one_per_device
from engines.bundle import Bundle
from engines.errors import MissingExtraError
from engines.pytorch._engine import TorchEngine


def open_torch(
    bundle: Bundle,
    *,
    precision: Arithmetic = "fp32",
    threads: int = 0,
    ladder: Sequence[int] = DEFAULT_LADDER,
    mode: Mode = "latency",
    gpus: Devices = (),
) -> Engine:
    """Return an engine for this bundle on these GPUs; without any, on the first there is, else on the CPU.

    Raises what `TorchEngine` raises, and `InputError` for a repeated GPU.
    """
    if gpus == "all":
        if find_spec("torch") is None:
            raise MissingExtraError("the PyTorch engine", "torch")
        import torch

        gpus = range(torch.cuda.device_count())
    if not gpus:
        return TorchEngine(bundle, precision=precision, threads=threads, ladder=ladder, mode=mode)
    several = len(gpus) > 1

    def open_one(gpu: int) -> Engine:
        # Where there are several, a batch that the calling thread ran itself would keep the other devices waiting.
        return TorchEngine(
            bundle, precision=precision, threads=threads, ladder=ladder, mode=mode, gpu=gpu, inline=not several
        )

    return one_per_device(gpus, open_one)
