"""Write a bundle again with an int8 graph in it, if that graph answers as the FP32 one does."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle, Precision, fingerprints, write_bundle
from engines.errors import BundleError, InputError
from engines.quantise._entry import CALIBRATION_CELLS, Quantised, quantise
from engines.verify import MIN_CELLS, Material, Verdict, verify

PRECISION: Precision = "int8"
METRIC = f"parity_{PRECISION}"


@dataclass(frozen=True)
class Added:
    """The new bundle, how its int8 graph was made, and how it compares.

    `seen` is how many of the cells compared the bundle was trained on.
    """

    bundle: Bundle
    quantised: Quantised
    verdict: Verdict
    seen: int


def add_int8(
    bundle: Bundle,
    cells: Material,
    out: str | Path,
    *,
    keep_float: Collection[str] | None = None,
    threads: int = 0,
) -> Added:
    """Quantise a bundle's FP32 graph, compare the two on other cells, and write a bundle that has both.

    The ranges are from cells the bundle was trained on where there are any, else from every other cell; the comparison
    is on cells it was not trained on where they are enough, else on all that the ranges are not from. What the ranges
    are from counts as seen in the new bundle. Figures go to `metrics.parity_int8`; nothing is written unless the int8
    graph passes.

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
    made = quantise(bundle.graph().read_bytes(), cells.frames[calibration], keep_float=keep_float)
    seen = fingerprints(cells.unfitted[calibration])
    with TemporaryDirectory() as scratch:
        trial = _write(bundle, Path(scratch) / bundle.manifest.name, made, seen, {})
        labels = None if cells.labels is None else cells.labels[test]
        verdict = verify(trial, cells.frames[test], labels, precision=PRECISION, threads=threads)
    seen_cells = int(cells.seen[test].sum())
    figures = {**verdict.figures(), "seen_cells": seen_cells, **made.figures()}
    try:
        written = _write(bundle, directory, made, seen, {METRIC: figures})
    except OSError as error:
        raise InputError(directory, "--out", error.strerror or str(error), "a directory that can be written") from error
    return Added(written, made, verdict, seen_cells)


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
    bundle: Bundle, directory: Path, made: Quantised, seen: NDArray[np.uint64], metrics: dict[str, object]
) -> Bundle:
    manifest = bundle.manifest
    opset = next(entry.opset for entry in manifest.graphs if entry.precision == "fp32")
    graphs = {entry.precision: (_read(bundle, entry.file), entry.opset) for entry in manifest.graphs}
    graphs[PRECISION] = (made.model, opset)
    if manifest.seen is not None:
        seen = np.union1d(np.frombuffer(_read(bundle, manifest.seen.file), "<u8").astype(np.uint64), seen)
    return write_bundle(
        directory,
        name=directory.resolve().name,
        classes=manifest.classes,
        inputs=manifest.input,
        outputs=manifest.outputs,
        graphs=graphs,
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
