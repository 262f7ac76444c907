"""Choose and open an engine by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Literal

from engines.backends._cores import Mode
from engines.backends._gpu import no_gpu, no_tensorrt, no_torch_cuda
from engines.backends._interface import DEFAULT_LADDER, Engine
from engines.backends._measure_ladder import measure_ladder
from engines.backends._on_the_cpu import engines_of_the_cpu
from engines.bundle import Bundle
from engines.errors import EngineError, InputError, MissingExtraError

ENGINES = ("auto", "openvino", "onnxruntime", "torch", "tensorrt")

Arithmetic = Literal["fp32", "fp16", "int8"]
"""`fp32` and `int8` are graphs of a bundle; `fp16` is the first with half precision inside the network, on a GPU."""

Ladder = Sequence[int] | Literal["auto"]

Devices = Sequence[int] | Literal["all"]
"""Numbers of GPUs. None at all: the first one there is."""


@dataclass(frozen=True)
class Options:
    """How an engine is to be built; see `choose_engine`."""

    precision: Arithmetic
    threads: int
    mode: Mode
    pin: bool | None
    devices: Devices = ()
    measure: bool = True


Opener = Callable[[Bundle, Options, Sequence[int]], Engine]


@dataclass(frozen=True)
class Choice:
    """An engine, and why it is this one.

    Attributes
    ----------
    engine
        Built.
    reason
        One line for logs and reports.
    fell
        Whether one that was preferred could not be built.
    names
        What to try when this one is out of order: first itself, then the others that may take its place, in order.
    """

    engine: Engine
    reason: str
    fell: bool = False
    names: tuple[str, ...] = ()


def open_engine(
    bundle: Bundle,
    name: str | Sequence[str] = "auto",
    *,
    precision: Arithmetic = "fp32",
    threads: int = 0,
    ladder: Ladder = DEFAULT_LADDER,
    mode: Mode = "latency",
    pin: bool | None = None,
    fallback: bool = False,
    measure: bool = True,
) -> Engine:
    """Return the engine that `choose_engine` chooses."""
    return choose_engine(
        bundle,
        name,
        precision=precision,
        threads=threads,
        ladder=ladder,
        mode=mode,
        pin=pin,
        fallback=fallback,
        measure=measure,
    ).engine


def choose_engine(
    bundle: Bundle,
    name: str | Sequence[str] = "auto",
    *,
    precision: Arithmetic = "fp32",
    threads: int = 0,
    ladder: Ladder = DEFAULT_LADDER,
    mode: Mode = "latency",
    pin: bool | None = None,
    fallback: bool = False,
    devices: Devices = (),
    measure: bool = True,
    openers: Mapping[str, Opener] | None = None,
) -> Choice:
    """Build an engine for `bundle` and say why this one.

    Parameters
    ----------
    bundle
        What to run.
    name
        One of `ENGINES`, or several in order of preference, as a list or with commas between them. `auto` takes
        TensorRT, else PyTorch, where there is an NVIDIA GPU and they can use it, else OpenVINO; in latency mode for
        a small graph in FP32 ONNX Runtime, where it is installed.
    precision
        The arithmetic; `fp16` needs a GPU.
    threads, pin
        Of engines on the CPU: threads (0 for one per core, less one in latency mode), and whether each stays on a
        core (None: as the library does by itself).
    ladder
        Batch sizes to compile, or `auto` to measure which of 1 to 64 pay.
    mode
        `latency`, or `throughput` for callers that keep `Engine.capacity` batches under way.
    fallback
        Whether `auto` may take the next engine when its first choice cannot be built. A list always may.
    devices
        GPUs to have an engine on each of, behind one interface; engines on the CPU take no notice.
    measure
        Whether the measurements are wanted. Without them, engines on the CPU leave that part of the graph out, which is
        half of a lone cell's time with the smallest networks; see `Predictions`.
    openers
        What builds the engines, by name; for tests.

    Raises
    ------
    InputError
        A name nobody knows, or `auto` beside others.
    BundleError
        The bundle has no such graph, or its graph is not what its manifest says.
    EngineError, MissingExtraError
        The engine (of several, the last) cannot be built.
    """
    options = Options(precision, threads, mode, pin, devices, measure)
    names = _names(name)
    if names == ("auto",):
        names, reason = _preferred(bundle, options)
        may_fall = fallback
    else:
        reason = "as configured"
        may_fall = True
    openers = _OPENERS if openers is None else openers
    refused: list[str] = []
    for place, candidate in enumerate(names, 1):
        opener = openers[candidate]
        try:
            rungs = measure_ladder(partial(opener, bundle, options)) if isinstance(ladder, str) else ladder
            engine = opener(bundle, options, rungs)
        except (EngineError, MissingExtraError) as error:
            # OpenVINO is part of every install and takes graphs that ONNX Runtime does not know yet.
            goes_on = may_fall or candidate == "onnxruntime"
            if place == len(names) or not goes_on:
                raise
            refused.append(f"{candidate} failed: {error}")
        else:
            others = names[place:] + names[: place - 1] if may_fall else ()
            why = f"{candidate}, {'; '.join((reason, *refused))}"
            return Choice(engine, why, fell=bool(refused), names=(candidate, *others))
    raise AssertionError("no names")  # _names gives one at least


def _names(name: str | Sequence[str]) -> tuple[str, ...]:
    names = tuple(name.split(",")) if isinstance(name, str) else tuple(name)
    for candidate in names or ("",):
        if candidate not in ENGINES:
            raise InputError("engine", "name", candidate, " or ".join(ENGINES))
    if len(names) > 1 and "auto" in names:
        raise InputError("engine", "name", ",".join(names), "auto alone, or engines in order of preference")
    return tuple(dict.fromkeys(names))


def _preferred(bundle: Bundle, options: Options) -> tuple[tuple[str, ...], str]:
    """Return what `auto` tries, in order, and why."""
    # fp16 needs a GPU; without one OpenVINO says so.
    names = ["openvino"]
    if options.precision != "fp16":
        names = list(engines_of_the_cpu(bundle, options.precision, options.mode))
    small = "; the graph is small" if names[0] == "onnxruntime" else ""
    because = no_gpu()
    if because is not None:
        return tuple(names), f"chosen for the CPU: {because}{small}"
    missing = []
    # The PyTorch engine computes int8 graphs in float, which is slower than the CPU does them.
    because = "PyTorch has no int8 kernels" if options.precision == "int8" else no_torch_cuda()
    if because is None:
        names.insert(0, "torch")
    else:
        missing.append(because)
    because = no_tensorrt()
    if because is None:
        names.insert(0, "tensorrt")
    else:
        missing.insert(0, because)
    where = "GPU" if names[0] in ("tensorrt", "torch") else f"CPU{small}"
    return tuple(names), "; ".join((f"chosen for the {where}", *missing))


# Imported only when chosen: OpenVINO takes a fifth of a second to load, the others more, and most commands need none.


def _openvino(bundle: Bundle, options: Options, ladder: Sequence[int]) -> Engine:
    from engines.backends._openvino import OpenVinoEngine

    if options.precision == "fp16":
        raise _needs_gpu("OpenVINO")
    return OpenVinoEngine(
        bundle,
        precision=options.precision,
        threads=options.threads,
        ladder=ladder,
        mode=options.mode,
        pin=options.pin,
        measure=options.measure,
    )


def _onnxruntime(bundle: Bundle, options: Options, ladder: Sequence[int]) -> Engine:
    from engines.backends._onnxruntime import OnnxRuntimeEngine

    if options.precision == "fp16":
        raise _needs_gpu("ONNX Runtime")
    return OnnxRuntimeEngine(
        bundle,
        precision=options.precision,
        threads=options.threads,
        ladder=ladder,
        mode=options.mode,
        pin=options.pin,
        measure=options.measure,
    )


def _torch(bundle: Bundle, options: Options, ladder: Sequence[int]) -> Engine:
    # By name, as the live path must not depend on PyTorch and ONNX unless a configuration asks for them.
    engine: Engine = import_module("engines.pytorch").open_torch(
        bundle,
        precision=options.precision,
        threads=options.threads,
        ladder=ladder,
        mode=options.mode,
        gpus=options.devices,
    )
    return engine


def _tensorrt(bundle: Bundle, options: Options, ladder: Sequence[int]) -> Engine:
    because = no_gpu()
    if because is not None:
        raise EngineError(f"TensorRT cannot be used: {because}; take an engine of the CPU, such as openvino")
    if no_tensorrt() is not None:
        raise MissingExtraError("the TensorRT engine", "gpu")
    engine: Engine = import_module("engines.tensorrt").open_tensorrt(
        bundle, precision=options.precision, ladder=tuple(ladder), gpus=options.devices or (0,)
    )
    return engine


def _needs_gpu(library: str) -> EngineError:
    return EngineError(f"{library} on the CPU has no fp16: take the precision fp32 or int8, or an engine on a GPU")


_OPENERS: Mapping[str, Opener] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
    "torch": _torch,
    "tensorrt": _tensorrt,
}
