"""Item: the PyTorch engine with every network, at each rung, beside the matrix rate measured in the same call."""

from __future__ import annotations

from contextlib import closing

from bench.fresh import fresh_network
from bench.gpu._rows import Setting
from bench.limit import measure_gpu_peaks, multiply_adds
from bench.live import frames_for
from bench.offline import run_offline
from engines.backends import Arithmetic, Engine
from engines.bundle import Bundle
from engines.errors import CellgateError
from engines.networks import NETWORKS
from engines.pytorch import TorchEngine

RUNGS = (1, 8, 32, 128, 512)
PRECISIONS: tuple[Arithmetic, ...] = ("fp16", "fp32")


def networks(setting: Setting) -> None:
    """Measure each network in half precision, which is what a GPU is for, then in FP32."""
    peak = measure_gpu_peaks(0.01 if setting.dry else 3.0, device=setting.device, tiny=setting.dry).bf16_ops_per_s
    for precision in PRECISIONS:
        for name in ("student",) if setting.dry else NETWORKS:
            bundle = fresh_network(name)
            try:
                engine = TorchEngine(
                    bundle,
                    precision=precision,
                    ladder=RUNGS[:1] if setting.dry else RUNGS,
                    mode="throughput",
                    device="cpu" if setting.device == "cpu" else "cuda",
                )
            except CellgateError as error:
                setting.add(name, f"{precision}: {error}", 0.0, "failed")
                continue
            with closing(engine):
                measure(engine, bundle, f"torch {precision}", setting, peak)


def measure(engine: Engine, bundle: Bundle, how: str, setting: Setting, peak: float) -> None:
    """Write down for each rung the time of a batch alone, the cells per second of many, and the share of the peak."""
    work, name = 2 * multiply_adds(bundle), bundle.manifest.name
    frames = frames_for(bundle, least=max(engine.ladder))
    for rung, alone in engine.warm().items():
        rate = run_offline(engine, frames, 0.02 if setting.dry else 0.5, rung).cells_per_s
        setting.add(name, f"{how}, batch {rung}: one batch, in and out", alone * 1e6, "µs")
        setting.add(name, f"{how}, batch {rung}", rate, "cells/s")
        setting.add(name, f"{how}, batch {rung}: share of the bf16 peak", 100 * work * rate / peak, "%")
