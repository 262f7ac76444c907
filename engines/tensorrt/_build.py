"""Build a bundle's graph into a TensorRT plan, once per graph, GPU, driver and TensorRT."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import msgspec

from engines.bundle import Bundle
from engines.errors import EngineError, InputError
from engines.tensorrt._device import Gpu
from engines.tensorrt._graph import TrtPrecision, graph_for
from engines.tensorrt._log import Complaints
from engines.tensorrt._need import need_tensorrt
from engines.tensorrt._plan import Plan, PlanKey
from engines.tensorrt._progress import Progress, monitor
from engines.tensorrt._sealed import cache_directory, read_sealed, write_sealed

GPU_LADDER = (1, 8, 32, 128, 512)
"""Batch sizes by default: on a GPU time grows slowly with the batch, so few and wide steps do."""
WORKSPACE_BYTES = 1 << 30
_LARGEST_BATCH = 65536


class TimingKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What measured kernel times hold for."""

    tensorrt: str
    gpu: str
    compute_capability: str
    driver: int


def build_plan(
    bundle: Bundle,
    precision: TrtPrecision = "fp16",
    ladder: tuple[int, ...] = GPU_LADDER,
    *,
    device: int = 0,
    refittable: bool = False,
    again: bool = False,
    workspace_bytes: int = WORKSPACE_BYTES,
    progress: Progress | None = None,
) -> Plan:
    """Return the plan of a bundle for this GPU: the cached one where there is one, else built, which takes minutes.

    The network is strongly typed: it computes in the types of the graph, TF32 off. One optimisation profile per rung,
    of exactly that batch size: kernels are picked for the size that will run, and the engine pads up to it.

    Parameters
    ----------
    bundle
        What to build.
    precision
        `fp32`; `fp16`, the network in FP16 between standardised frames and logits; `int8`, the bundle's symmetric
        quantised graph.
    ladder
        Batch sizes, 1 to 65536.
    device
        Number of the GPU.
    refittable
        Keep the weights exchangeable (`TensorRtEngine.refit`), at some cost in speed.
    again
        Build also where there is a plan in the cache.
    workspace_bytes
        Most scratch memory a kernel may take.
    progress
        Called while it builds.

    Raises
    ------
    EngineError
        TensorRT refuses; its reasons and what to do are in the text. Or a file of the cache is refused.
    InputError, BundleError, MissingExtraError
        The ladder or precision is none, the bundle has no such graph, a package is not installed.
    """
    rungs = checked_ladder(ladder)
    model = graph_for(bundle, precision)
    trt = need_tensorrt()
    gpu = Gpu(device)
    facts = gpu.facts
    digest = hashlib.sha256(model).hexdigest()
    version = str(trt.__version__)
    key = PlanKey(
        digest, version, facts.name, facts.compute_capability, gpu.driver, precision, rungs, refittable=refittable
    )
    directory = cache_directory()
    path = directory / key.file_name
    cached = None if again else read_sealed(path, "plan", key)
    if cached is not None:
        return Plan(key, cached, path)
    started = time.perf_counter()
    timing = _Timing(directory, TimingKey(version, facts.name, facts.compute_capability, gpu.driver))
    with gpu:
        blob = _build(trt, model, bundle, rungs, refittable, workspace_bytes, timing, progress)
    write_sealed(path, "plan", key, blob)
    return Plan(key, blob, path, time.perf_counter() - started)


def checked_ladder(ladder: tuple[int, ...]) -> tuple[int, ...]:
    """Return the batch sizes ascending, each once; `InputError` where they are none."""
    rungs = tuple(sorted(set(ladder)))
    if not rungs or rungs[0] < 1 or rungs[-1] > _LARGEST_BATCH:
        raise InputError("TensorRT", "ladder", ladder, f"one or more batch sizes of 1 to {_LARGEST_BATCH}")
    return rungs


def _build(
    trt: Any,
    model: bytes,
    bundle: Bundle,
    ladder: tuple[int, ...],
    refittable: bool,
    workspace_bytes: int,
    timing: _Timing,
    progress: Progress | None,
) -> bytes:
    complaints = Complaints(trt)
    try:
        builder = trt.Builder(complaints.logger)
    except TypeError as error:  # what the bindings make of a null
        raise complaints.error("the builder cannot start") from error
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    config = builder.create_builder_config()
    if network is None or config is None:
        raise complaints.error("the builder cannot start")
    parser = trt.OnnxParser(network, complaints.logger)
    if not parser.parse(model):
        reasons = [str(parser.get_error(i).desc()) for i in range(parser.num_errors)]
        raise complaints.error(f"cannot read the graph of '{bundle.manifest.name}'", *reasons)
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_bytes)
    # TF32 keeps ten bits of a product's factors: counts above 2048 and their sums would be rounded.
    config.clear_flag(trt.BuilderFlag.TF32)
    if refittable:
        config.set_flag(trt.BuilderFlag.REFIT)
    _add_profiles(builder, network, config, ladder, complaints)
    cache = config.create_timing_cache(timing.load())
    config.set_timing_cache(cache, False)
    if progress is not None:
        config.progress_monitor = monitor(trt, progress)
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise complaints.error(f"cannot build '{bundle.manifest.name}' for batches of {ladder}")
    timing.save(bytes(cache.serialize()))
    return bytes(built)


def _add_profiles(builder: Any, network: Any, config: Any, ladder: tuple[int, ...], complaints: Complaints) -> None:
    if network.num_inputs != 1:
        raise complaints.error("the graph", f"has {network.num_inputs} inputs, expected one, the frames")
    tensor = network.get_input(0)
    for rung in ladder:
        profile = builder.create_optimization_profile()
        shape = (rung, *tuple(tensor.shape)[1:])
        profile.set_shape(tensor.name, shape, shape, shape)
        if config.add_optimization_profile(profile) < 0:
            raise complaints.error(f"no profile for batches of {rung}")


class _Timing:
    """Kernel times measured by earlier builds on this GPU; without them a build only takes longer."""

    def __init__(self, directory: Path, key: TimingKey) -> None:
        name = hashlib.sha256(msgspec.json.encode(key)).hexdigest()[:32]
        self._path, self._key = directory / f"{name}.timing", key

    def load(self) -> bytes:
        try:
            return read_sealed(self._path, "timing", self._key) or b""
        except EngineError:
            # Refused: it is only a speed-up, and the next save replaces it.
            return b""

    def save(self, content: bytes) -> None:
        write_sealed(self._path, "timing", self._key, content)
