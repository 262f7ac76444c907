"""What every engine checks alike: the ladder, a graph against its manifest, and the frames of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from engines.backends._interface import Frames
from engines.bundle import Bundle
from engines.errors import BundleError, EngineError, InputError

OUTPUTS = ("probabilities", "embedding", "measurements")
"""What a bundle's graph returns, in the order of `Predictions`."""

Shape = Sequence[int | None]
"""A shape in a graph; None where it is open, such as the number of cells."""


def check_ladder(ladder: Iterable[int]) -> tuple[int, ...]:
    """Return the rungs, ascending and each once; `InputError` where there is none or one is below 1."""
    rungs = tuple(sorted(set(ladder)))
    if not rungs or rungs[0] < 1:
        raise InputError("engine", "ladder", tuple(ladder), "one or more batch sizes of 1 or more")
    return rungs


def check_signature(
    bundle: Bundle,
    graph: Path,
    inputs: Sequence[tuple[np.dtype[np.generic], Shape]],
    outputs: Mapping[str, Shape],
    names: Sequence[str] = OUTPUTS,
) -> None:
    """Compare a graph's inputs and outputs with the bundle's manifest.

    Parameters
    ----------
    graph
        The file, for messages.
    inputs
        dtype and shape of each input the graph asks for.
    outputs
        Shape of each output, by name.
    names
        The outputs there must be.

    Raises
    ------
    BundleError
        They are not those the manifest states.
    """
    manifest = bundle.manifest
    if not set(names) <= outputs.keys():
        raise BundleError(graph, "outputs", sorted(outputs), ", ".join(sorted(names)))
    if len(inputs) != 1:
        raise BundleError(graph, "inputs", len(inputs), "one input, the frames")
    dtype, shape = inputs[0]
    if dtype != bundle.dtype:
        raise BundleError(graph, "input dtype", dtype.name, f"{bundle.dtype.name}, as the manifest says")
    if not _fits(shape, (None, *bundle.frame_shape)):
        want = f"(n, {', '.join(map(str, bundle.frame_shape))}), as the manifest says"
        raise BundleError(graph, "input shape", _text(shape), want)
    widths = {"probabilities": len(manifest.classes), "embedding": manifest.outputs.embedding}
    widths["measurements"] = len(manifest.outputs.measurements)
    for name in names:
        width = widths[name]
        if not _fits(outputs[name], (None, width)):
            raise BundleError(graph, name, _text(outputs[name]), f"(n, {width}), as the manifest says")


def check_frames(name: str, bundle: Bundle, frames: Frames, top: int) -> None:
    """Raise `EngineError` in the engine's name where `frames` are no batch of this bundle, or above the top rung."""
    n = len(frames)
    if n < 1 or frames.shape[1:] != bundle.frame_shape or frames.dtype != bundle.dtype:
        want = f"{bundle.dtype} (n, {', '.join(map(str, bundle.frame_shape))})"
        raise EngineError(f"{name}: found {frames.dtype} {frames.shape}, expected {want}, n at least 1")
    if n > top:
        raise EngineError(f"{name}: a batch of {n} is above the top rung {top}")


def last_line(error: BaseException) -> str:
    """Return the last line that says something of a library's error, which may have many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _fits(shape: Shape, wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(
        side is None or want is None or side == want for side, want in zip(shape, wanted, strict=True)
    )


def _text(shape: Shape) -> str:
    return f"[{','.join('?' if side is None else str(side) for side in shape)}]"
