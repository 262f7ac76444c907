"""Run an engine and the reference on the same cells."""

from __future__ import annotations

from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from engines.backends import DEFAULT_LADDER, Arithmetic, Engine, Ladder, Predictions, open_engine
from engines.bundle import Bundle
from engines.errors import EngineError, InputError
from engines.verify._judge import ClassGates, Judge
from engines.verify._verdict import LIMITS, MIN_CELLS, Limits, Verdict

Frames = NDArray[np.generic]
Labels = NDArray[np.integer]

REFERENCE, REFERENCE_BATCH = "openvino", 32
_PATIENCE_S = 120.0


def verify(
    bundle: Bundle,
    frames: Frames,
    labels: Labels | None = None,
    *,
    engine: str = "auto",
    precision: Arithmetic = "fp32",
    threads: int = 0,
    ladder: Ladder = DEFAULT_LADDER,
    judge: Judge | None = None,
    limits: Limits | None = None,
) -> Verdict:
    """Compare as `compare` does, and raise `EngineError` with the figures where the answers differ too much."""
    verdict = compare(
        bundle,
        frames,
        labels,
        engine=engine,
        precision=precision,
        threads=threads,
        ladder=ladder,
        judge=judge,
        limits=limits,
    )
    verdict.require()
    return verdict


def compare(
    bundle: Bundle,
    frames: Frames,
    labels: Labels | None = None,
    *,
    engine: str = "auto",
    precision: Arithmetic = "fp32",
    threads: int = 0,
    ladder: Ladder = DEFAULT_LADDER,
    judge: Judge | None = None,
    limits: Limits | None = None,
) -> Verdict:
    """Return how far an engine's answers are from those of the FP32 graph, run by OpenVINO in FP32 in batches of 32.

    Parameters
    ----------
    frames
        `(n, C, H, W)` raw counts as the bundle takes them, n ≥ 200; real cells it was not trained on say most.
    labels
        `(n,)` indices into the bundle's classes, negative where unknown.
    engine, precision, threads, ladder
        As for `open_engine`.
    judge
        What is decided on a cell; by default a gate `probability ≥ 0.5` for each class.
    limits
        What is too much; by default `LIMITS` of this precision.

    Raises
    ------
    InputError
        Frames or labels do not fit the bundle, or are too few.
    BundleError, EngineError, MissingExtraError
        The bundle has no such graph, or an engine cannot be built or fails.
    """
    _check(bundle, frames, labels)
    # First, as it may be refused: FP16 on a processor, say.
    with closing(open_engine(bundle, engine, precision=precision, threads=threads, ladder=ladder)) as opened:
        return compare_engine(
            opened,
            frames,
            labels,
            threads=threads,
            judge=judge,
            limits=LIMITS[precision] if limits is None else limits,
        )


def compare_engine(
    engine: Engine,
    frames: Frames,
    labels: Labels | None = None,
    *,
    limits: Limits,
    threads: int = 0,
    judge: Judge | None = None,
    measured: bool = True,
) -> Verdict:
    """Compare an engine that is open already, and stays so, with the reference; for the rest see `compare`.

    The engine gets batches of every size it was compiled for in turn, because each size is a program of its own.
    `measured` tells whether its measurements count: it may have been built without them.
    """
    bundle = engine.bundle
    _check(bundle, frames, labels)
    with closing(open_engine(bundle, REFERENCE, threads=threads, ladder=(REFERENCE_BATCH,))) as opened:
        reference, expected = opened.name, answers(opened, frames)
    found = answers(engine, frames)
    if not measured:
        found, expected = _unmeasured(found), _unmeasured(expected)
    judge = ClassGates(bundle.classes) if judge is None else judge
    error = np.abs(found.probabilities - expected.probabilities)
    known = np.zeros(len(frames), np.bool_) if labels is None else labels >= 0
    changed = int((found.probabilities.argmax(1) != expected.probabilities.argmax(1)).sum())
    crossed = judge.decide(found) != judge.decide(expected)
    otherwise = int(crossed.any(axis=1).sum())
    return Verdict(
        engine=engine.name,
        reference=reference,
        cells=len(frames),
        changed_classes=changed,
        changed_share=changed / len(frames),
        max_probability_error=float(error.max()),
        mean_probability_error=float(error.mean(dtype=np.float64)),
        max_relative_embedding_error=_relative(found.embedding, expected.embedding),
        max_relative_measurement_error=_relative(found.measurements, expected.measurements),
        decisions={name: int(count) for name, count in zip(judge.names, crossed.sum(axis=0), strict=True)},
        changed_decisions=otherwise,
        changed_decision_share=otherwise / len(frames),
        labelled=int(known.sum()),
        accuracy=_accuracy(found.probabilities, labels, known),
        reference_accuracy=_accuracy(expected.probabilities, labels, known),
        finite=all(bool(np.isfinite(output).all()) for output in _outputs(found)),
        limits=limits,
    )


def answers(engine: Engine, frames: Frames) -> Predictions:
    """Return what an engine says of all frames, from batches of its rungs in turn."""
    parts, seconds, start, turn = [], 0.0, 0, 0
    while start < len(frames):
        batch = frames[start : start + engine.ladder[turn % len(engine.ladder)]]
        engine.submit(batch)
        predictions = engine.collect(timeout_s=_PATIENCE_S)
        if predictions is None:
            raise EngineError(f"{engine.name}: a batch of {len(batch)} was not done after {_PATIENCE_S:.0f} s")
        parts.append(_outputs(predictions))
        seconds += predictions.seconds
        start, turn = start + len(batch), turn + 1
    probabilities, embedding, measurements = (np.concatenate(outputs) for outputs in zip(*parts, strict=True))
    return Predictions(probabilities, embedding, measurements, seconds)


def _unmeasured(found: Predictions) -> Predictions:
    return Predictions(found.probabilities, found.embedding, found.measurements[:, :0], found.seconds)


def _outputs(found: Predictions) -> tuple[NDArray[np.float32], ...]:
    return found.probabilities, found.embedding, found.measurements


def _check(bundle: Bundle, frames: Frames, labels: Labels | None) -> None:
    if frames.shape[1:] != bundle.frame_shape or frames.dtype != bundle.dtype:
        want = f"{bundle.dtype.name} (n, {', '.join(map(str, bundle.frame_shape))})"
        raise InputError("verify", "frames", f"{frames.dtype.name} {frames.shape}", want)
    if len(frames) < MIN_CELLS:
        raise InputError("verify", "cells", len(frames), f"{MIN_CELLS} or more: fewer cannot show a share so small")
    if labels is None:
        return
    if labels.shape != (len(frames),) or labels.dtype.kind not in "iu":
        raise InputError("verify", "labels", f"{labels.dtype} {labels.shape}", f"integers of shape ({len(frames)},)")
    if int(labels.max()) >= len(bundle.classes):
        raise InputError("verify", "labels", int(labels.max()), f"below {len(bundle.classes)}, the number of classes")


def _relative(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    if not expected.size:
        return 0.0
    scale = np.maximum(np.abs(expected).max(axis=0), 1e-6)
    return float((np.abs(found - expected) / scale).max())


def _accuracy(probabilities: NDArray[np.float32], labels: Labels | None, known: NDArray[np.bool_]) -> float | None:
    if labels is None or not known.any():
        return None
    return float((probabilities.argmax(1)[known] == labels[known]).mean())
