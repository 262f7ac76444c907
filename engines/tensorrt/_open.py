"""Open a bundle on one GPU or several."""

from __future__ import annotations

from collections.abc import Sequence

from engines.backends import Engine
from engines.bundle import Bundle
from engines.errors import InputError
from engines.tensorrt._build import GPU_LADDER, build_plan
from engines.tensorrt._engine import TensorRtEngine, Wait
from engines.tensorrt._graph import TrtPrecision
from engines.tensorrt._multi import MultiEngine
from engines.tensorrt._progress import Progress


def open_tensorrt(
    bundle: Bundle,
    *,
    precision: TrtPrecision = "fp16",
    ladder: tuple[int, ...] = GPU_LADDER,
    gpus: Sequence[int] = (0,),
    wait: Wait = "block",
    graphs: bool = True,
    refittable: bool = False,
    progress: Progress | None = None,
) -> Engine:
    """Return an engine for this bundle on these GPUs, building plans that are not in the cache.

    Raises what `build_plan` and `TensorRtEngine` raise, and `InputError` for no or a repeated GPU.
    """
    if not gpus or len(set(gpus)) != len(gpus):
        raise InputError("TensorRT", "gpus", list(gpus), "one or more different GPUs")
    engines: list[TensorRtEngine] = []
    try:
        for device in gpus:
            plan = build_plan(bundle, precision, ladder, device=device, refittable=refittable, progress=progress)
            engines.append(TensorRtEngine(bundle, plan, device=device, wait=wait, graphs=graphs))
    except BaseException:
        for engine in engines:
            engine.close()
        raise
    return engines[0] if len(engines) == 1 else MultiEngine(engines)
