"""Write a bundle again with int8 graphs in it, if they answer as the FP32 one does."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle, Precision, fingerprints, write_bundle
from engines.errors import BundleError, InputError
from engines.quantise._entry import CALIBRATION_CELLS, Quantised, quantise
from engines.verify import LIMITS, MIN_CELLS, Material, Verdict, compare_engine, verify

PRECISION: Precision = "int8"
METRIC, GPU_METRIC = f"parity_{PRECISION}", f"parity_{PRECISION}_gpu"
GPU_TRIES = 3
# Whose layer it is, in the name of an ensemble's layer.
_MEMBER = re.compile(r"/members\.\d+/")


@dataclass(frozen=True)
class Graph:
    """An int8 graph and how it compares with the FP32 one."""

    quantised: Quantised
    verdict: Verdict

    def figures(self, seen: int) -> dict[str, object]:
        """Return it for the manifest; `seen` of the cells compared the bundle was trained on."""
        return {**self.verdict.figures(), "seen_cells": seen, **self.quantised.figures()}


@dataclass(frozen=True)
class Added:
    """The new bundle, its int8 graph for processors, and the one for GPUs.

    Attributes
    ----------
    bundle
        As written.
    cpu
        The graph for processors.
    gpu
        The graph for GPUs, which is in the bundle if its verdict passed.
    seen
        How many of the cells compared the bundle was trained on.
    """

    bundle: Bundle
    cpu: Graph
    gpu: Graph
    seen: int


def add_int8(
    bundle: Bundle,
    cells: Material,
    out: str | Path,
    *,
    keep_float: Collection[str] | None = None,
    threads: int = 0,
) -> Added:
    """Quantise a bundle's FP32 graph for processors and GPUs, compare on other cells, and write a bundle with them.

    The ranges are from cells the bundle was trained on where there are any, else from every other cell; the comparison
    is on cells it was not trained on where they are enough, else on all that the ranges are not from. What the ranges
    are from counts as seen in the new bundle. Figures go to `metrics.parity_int8` and `metrics.parity_int8_gpu`.

    Nothing is written unless the graph for processors passes. The one for GPUs, whose activations have a bit less, is
    tried again with one more layer in float (of every member of an ensemble), up to twice, and left out where that does
    not help. ONNX Runtime runs it for the comparison, on the processor: the integers are TensorRT's, the float layers'
    rounding is not.

    Parameters
    ----------
    cells
        As `engines.verify.material` makes them; labelled ones let accuracies be compared.
    out
        Directory of the new bundle, not the old one's.
    keep_float
        As for `quantise`.
    threads
        Of the comparison.

    Raises
    ------
    EngineError
        The int8 graph answers differently; the figures are in the text.
    InputError, BundleError
        Cells, a name or the directory cannot be used.
    """
    directory = Path(out)
    if directory.resolve() == bundle.path.resolve():
        raise InputError("quantise", "--out", out, "another directory than the bundle's: a streamer may be using it")
    calibration, test = _split(cells)
    model, ranges = bundle.graph().read_bytes(), cells.frames[calibration]
    seen = fingerprints(cells.unfitted[calibration])
    tested = cells.subset(test)
    with TemporaryDirectory() as scratch:
        trial = Path(scratch) / bundle.manifest.name
        made = quantise(model, ranges, keep_float=keep_float)
        written = _write(bundle, trial, (made, None), seen, {})
        cpu = Graph(made, verify(written, tested.frames, tested.labels, precision=PRECISION, threads=threads))
        for _ in range(GPU_TRIES):
            for_gpu = quantise(model, ranges, keep_float=keep_float, target="gpu")
            written = _write(bundle, trial, (made, for_gpu), seen, {})
            gpu = Graph(for_gpu, _compare_for_gpu(written, tested, threads))
            if gpu.verdict.passed or len(for_gpu.quantised) == 1:
                break
            keep_float = (*for_gpu.kept_float, *_first_of_each(for_gpu.quantised))
    seen_cells = int(tested.seen.sum())
    graphs = (made, for_gpu) if gpu.verdict.passed else (made, None)
    metrics: dict[str, object] = {METRIC: cpu.figures(seen_cells), GPU_METRIC: gpu.figures(seen_cells)}
    try:
        written = _write(bundle, directory, graphs, seen, metrics)
    except OSError as error:
        raise InputError(directory, "--out", error.strerror or str(error), "a directory that can be written") from error
    return Added(written, cpu, gpu, seen_cells)


def _first_of_each(layers: tuple[str, ...]) -> list[str]:
    """Return the first layer and, where it is an ensemble member's, the same one of the other members."""
    plain = _MEMBER.sub("/", layers[0])
    return [layer for layer in layers if _MEMBER.sub("/", layer) == plain]


def _compare_for_gpu(trial: Bundle, cells: Material, threads: int) -> Verdict:
    # Here, as ONNX Runtime is only there once `quantise` has found it.
    from engines.backends._onnxruntime import OnnxRuntimeEngine

    engine = OnnxRuntimeEngine(trial, precision=PRECISION, target="gpu", threads=threads)
    with closing(engine):
        return compare_engine(engine, cells.frames, cells.labels, limits=LIMITS[PRECISION], threads=threads)


def _split(cells: Material) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where the cells for the ranges and those for the comparison are."""
    pool = np.flatnonzero(cells.seen)
    if not len(pool):
        pool = np.arange(0, len(cells), 2)
    calibration = pool[np.linspace(0, len(pool) - 1, min(len(pool), CALIBRATION_CELLS)).round().astype(np.intp)]
    rest = np.setdiff1d(np.arange(len(cells)), calibration)
    fresh = rest[~cells.seen[rest]]
    test = fresh if len(fresh) >= MIN_CELLS else rest
    if len(test) < MIN_CELLS:
        wanted = f"at least {MIN_CELLS} besides the {len(calibration)} that the ranges are from"
        raise InputError(cells.name, "cells", len(cells), wanted)
    return calibration, test


def _write(
    bundle: Bundle,
    directory: Path,
    made: tuple[Quantised, Quantised | None],
    seen: NDArray[np.uint64],
    metrics: dict[str, object],
) -> Bundle:
    """Write the bundle with these graphs, the one for processors first, in place of those it may have."""
    manifest = bundle.manifest
    cpu, gpu = made
    opset = next(entry.opset for entry in manifest.graphs if entry.precision == "fp32")
    graphs = {
        entry.precision: (_read(bundle, entry.file), entry.opset)
        for entry in manifest.graphs
        if entry.target == "any" and entry.precision != PRECISION
    }
    graphs[PRECISION] = (cpu.model, opset)
    if manifest.seen is not None:
        seen = np.union1d(np.frombuffer(_read(bundle, manifest.seen.file), "<u8").astype(np.uint64), seen)
    return write_bundle(
        directory,
        name=directory.resolve().name,
        classes=manifest.classes,
        inputs=manifest.input,
        outputs=manifest.outputs,
        graphs=graphs,
        gpu_int8=None if gpu is None else (gpu.model, opset),
        seen=seen,
        weights=None if manifest.weights is None else _read(bundle, manifest.weights.file),
        training=manifest.training,
        metrics={**manifest.metrics, **metrics},
    )


def _read(bundle: Bundle, file: str) -> bytes:
    try:
        return (bundle.path / file).read_bytes()
    except OSError as error:
        raise BundleError(bundle.path / file, "file", error.strerror or str(error), "a readable file") from error
