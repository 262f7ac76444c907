"""The limits of an NVIDIA GPU, by PyTorch: bfloat16 matrix rate and copies."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import torch

_SIDES, _TINY_SIDES = (4096, 8192, 16384), (64,)
_BYTES, _TINY_BYTES = 1 << 28, 1 << 16
_WARM = 5


class GpuPeaks(msgspec.Struct, frozen=True):
    """What a GPU does at best.

    Attributes
    ----------
    bf16_ops_per_s, case
        Of the best square product, and which that was; a multiply-add is two.
    copy_to_bytes_per_s, copy_from_bytes_per_s
        Between page-locked memory and the GPU's.
    copy_on_bytes_per_s
        Inside the GPU's memory; what is read and written counts once.
    """

    device: str
    bf16_ops_per_s: float
    case: str
    copy_to_bytes_per_s: float
    copy_from_bytes_per_s: float
    copy_on_bytes_per_s: float


def measure_gpu_peaks(seconds: float = 3.0, *, device: str = "cuda", tiny: bool = False) -> GpuPeaks:
    """Measure; PyTorch must be there, and for `device` "cuda" a GPU it can use.

    Parameters
    ----------
    seconds
        For all of it, the warm-up left out.
    device
        "cpu" with `tiny` shows that it runs; the figures then mean nothing.
    """
    import torch

    share = seconds / 6
    best, case = 0.0, ""
    for side in _TINY_SIDES if tiny else _SIDES:
        # Random numbers: a GPU draws less power on zeros, and clocks higher.
        a, b = (torch.randn(side, side, device=device).to(torch.bfloat16) for _ in range(2))
        rate = 2 * side**3 / _quickest(partial(torch.matmul, a, b), share, device)
        if rate > best:
            best, case = rate, f"{side}×{side}"
    size = _TINY_BYTES if tiny else _BYTES
    host = torch.empty(size, dtype=torch.uint8, pin_memory=device == "cuda")
    there, other = (torch.empty(size, dtype=torch.uint8, device=device) for _ in range(2))

    def copied(target: torch.Tensor, source: torch.Tensor) -> float:
        return size / _quickest(lambda: target.copy_(source, non_blocking=True), share, device)

    return GpuPeaks(
        device=torch.cuda.get_device_name() if device == "cuda" else "CPU",
        bf16_ops_per_s=best,
        case=case,
        copy_to_bytes_per_s=copied(there, host),
        copy_from_bytes_per_s=copied(host, there),
        copy_on_bytes_per_s=copied(other, there),
    )


def _quickest(run: Callable[[], object], seconds: float, device: str) -> float:
    import torch

    wait: Callable[[], object] = torch.cuda.synchronize if device == "cuda" else lambda: None
    for _ in range(_WARM):
        run()
    wait()
    best, until = math.inf, time.perf_counter() + seconds
    while best == math.inf or time.perf_counter() < until:
        began = time.perf_counter()
        run()
        wait()
        best = min(best, time.perf_counter() - began)
    return best
