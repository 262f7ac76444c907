"""The items: matrix products, copies, networks in PyTorch, and pycuda with a kernel of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from engines.networks import create

NETWORKS = ("deepflow", "compact", "student", "student-deep", "deeploc", "yao-convnet")
RUNGS = (1, 8, 32, 128, 512)
CHANNELS, CLASSES, SIDE = 3, 7, 66


class Setting(NamedTuple):
    """Where to measure, whether only to try, and when (monotonic seconds) to have stopped."""

    device: str
    dry: bool
    until: float


class Row(NamedTuple):
    """One figure."""

    item: str
    case: str
    value: float
    unit: str


def matrix_peak(setting: Setting) -> list[Row]:
    """Return the best rate of square bf16 products."""
    rows = []
    for side in (64,) if setting.dry else (4096, 8192, 16384):
        a = torch.randn(side, side, device=setting.device).to(torch.bfloat16)
        b = torch.randn(side, side, device=setting.device).to(torch.bfloat16)
        seconds = _best(partial(torch.matmul, a, b), setting)
        rows.append(Row("bf16 matrix product", f"{side}²", 2 * side**3 / seconds / 1e12, "TFLOP/s"))
    return rows


def bandwidth(setting: Setting) -> list[Row]:
    """Return rates of copies to, from and on the GPU, from page-locked memory."""
    size = 1 << (16 if setting.dry else 28)
    host = torch.empty(size, dtype=torch.uint8, pin_memory=not setting.dry)
    there, other = (torch.empty(size, dtype=torch.uint8, device=setting.device) for _ in range(2))
    copies: dict[str, tuple[Callable[[], object], int]] = {
        "to the GPU": (lambda: there.copy_(host, non_blocking=True), size),
        "from the GPU": (lambda: host.copy_(there, non_blocking=True), size),
        "on the GPU (read + written)": (lambda: other.copy_(there), 2 * size),
    }
    return [Row("copy", name, moved / _best(do, setting) / 1e9, "GB/s") for name, (do, moved) in copies.items()]


def networks(setting: Setting) -> list[Row]:
    """Return times per batch of each network, rung and way of running it, best of many."""
    rows: list[Row] = []
    for name in ("student",) if setting.dry else NETWORKS:
        for way in ("eager", "channels-last", "half", "half, channels-last", "half, channels-last, CUDA graph"):
            for rung in RUNGS[:1] if setting.dry else RUNGS:
                if time.monotonic() > setting.until:
                    return [*rows, Row("networks", f"stopped before {name} {way}: out of time", 0.0, "")]
                seconds = _network(name, way, rung, setting)
                if seconds is not None:
                    rows.append(Row(name, f"{way}, batch {rung}", seconds * 1e6, "µs"))
                    rows.append(Row(name, f"{way}, batch {rung}", rung / seconds, "cells/s"))
    return rows


def _network(name: str, way: str, rung: int, setting: Setting) -> float | None:
    if "CUDA graph" in way and setting.device == "cpu":
        return None
    network = create(name, CHANNELS, CLASSES, SIDE, SIDE).eval().to(setting.device)
    frames = torch.randn(rung, CHANNELS, SIDE, SIDE, device=setting.device)
    if "half" in way:
        network, frames = network.half(), frames.half()
    if "channels-last" in way:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        frames = frames.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        run = _recorded(network, frames) if "CUDA graph" in way else lambda: network(frames)
        return _best(run, setting)


def _recorded(network: nn.Module, frames: Tensor) -> Callable[[], object]:
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            network(frames)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        network(frames)
    return graph.replay


def pycuda_kernel(setting: Setting) -> list[Row]:
    """Return the time of copy, small kernel, copy with pycuda beside PyTorch, and whether the numbers are right."""
    if setting.dry:
        return []
    cuda, compiler = import_module("pycuda.driver"), import_module("pycuda.compiler")
    cuda.init()
    context = cuda.Device(0).retain_primary_context()
    context.push()
    try:
        source = "__global__ void counts(const unsigned short *in, float *out) {"
        source += "int i = blockIdx.x * blockDim.x + threadIdx.x; out[i] = in[i] * 0.5f; }"
        kernel = compiler.SourceModule(source).get_function("counts")
        cells = 32 * 3 * 64 * 64
        counts = cuda.pagelocked_empty(cells, np.uint16)
        halves = cuda.pagelocked_empty(cells, np.float32)
        counts[:] = np.arange(cells) % 65536
        into, out = cuda.mem_alloc(counts.nbytes), cuda.mem_alloc(halves.nbytes)
        stream = cuda.Stream(1)

        def once() -> None:
            cuda.memcpy_htod_async(into, counts, stream)
            kernel(into, out, block=(256, 1, 1), grid=(cells // 256, 1), stream=stream)
            cuda.memcpy_dtoh_async(halves, out, stream)
            stream.synchronize()

        seconds = _best(once, setting)
        right = float(np.array_equal(halves, counts * np.float32(0.5)))
        beside = float((torch.ones(4, device="cuda") * 2).sum().item() == 8.0)
        return [
            Row("pycuda", "copy, kernel, copy: 32 cells of 3×64×64", seconds * 1e6, "µs"),
            Row("pycuda", "numbers are right", right, "1 = yes"),
            Row("pycuda", "PyTorch works beside it", beside, "1 = yes"),
        ]
    finally:
        context.pop()


def _best(run: Callable[[], object], setting: Setting) -> float:
    """Return the best time of one run in seconds, the GPU waited for: of up to 200 runs in up to 0.5 s."""
    wait: Callable[[], Any] = torch.cuda.synchronize if setting.device == "cuda" else lambda: None
    for _ in range(1 if setting.dry else 5):
        run()
    wait()
    best, stop = float("inf"), time.monotonic() + (0.0 if setting.dry else 0.5)
    for _ in range(200):
        started = time.perf_counter()
        run()
        wait()
        best = min(best, time.perf_counter() - started)
        if time.monotonic() > stop:
            break
    return best
