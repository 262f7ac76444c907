"""Open a bundle on one GPU or several."""

from __future__ import annotations

from engines.backends import Devices, Engine, one_per_device
from engines.bundle import Bundle
from engines.tensorrt._build import GPU_LADDER, build_plan
from engines.tensorrt._device import devices
from engines.tensorrt._engine import TensorRtEngine, Wait
from engines.tensorrt._graph import TrtPrecision
from engines.tensorrt._progress import Progress


def open_tensorrt(
    bundle: Bundle,
    *,
    precision: TrtPrecision = "fp16",
    ladder: tuple[int, ...] = GPU_LADDER,
    gpus: Devices = (0,),
    wait: Wait = "block",
    graphs: bool = True,
    refittable: bool = False,
    progress: Progress | None = None,
) -> Engine:
    """Return an engine for this bundle on these GPUs, building plans that are not in the cache.

    Raises what `build_plan` and `TensorRtEngine` raise, and `InputError` for no or a repeated GPU.
    """

    def open_one(gpu: int) -> Engine:
        plan = build_plan(bundle, precision, ladder, device=gpu, refittable=refittable, progress=progress)
        return TensorRtEngine(bundle, plan, device=gpu, wait=wait, graphs=graphs)

    return one_per_device(tuple(facts.ordinal for facts in devices()) if gpus == "all" else gpus, open_one)
