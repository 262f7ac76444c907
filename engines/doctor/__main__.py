"""`python -m engines.doctor ENGINE BUNDLE`: try one engine, and print an `EngineCheck` as a line of JSON."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.backends import Engine, Predictions, open_engine
from engines.bundle import Bundle, load_bundle
from engines.doctor._engines import EngineCheck, failed
from engines.errors import CellgateError, EngineError

RUNGS = (1, 2, 8, 32)
TOLERANCE = 2e-3
"""Largest difference of a probability that rounding in FP32 can make on any sensible graph."""

_PATIENCE_S = 60.0


def check(name: str, path: Path) -> EngineCheck:
    """Run the engine on 43 cells, as batches of every rung, and compare with OpenVINO in FP32."""
    bundle = load_bundle(path)
    frames = _frames(bundle)
    with closing(open_engine(bundle, name, ladder=RUNGS)) as engine:
        times = engine.warm()
        found, title = _answers(engine, frames), engine.name
    with closing(open_engine(bundle, "openvino", ladder=(len(frames),))) as reference:
        expected = _answers(reference, frames)
    error = float(np.abs(found - expected).max()) if np.isfinite(found).all() else float("inf")
    best = max(times, key=lambda rung: rung / times[rung])
    right = error <= TOLERANCE
    return EngineCheck(
        name,
        works=right,
        found=title if right else f"{title} answers wrongly: probabilities differ by {error:.2g} from OpenVINO's",
        remedy=None if right else "use another engine, and report this",
        error=error,
        one_cell_us=times[1] * 1e6,
        best_batch=best,
        cells_per_s=best / times[best],
    )


def _frames(bundle: Bundle) -> NDArray[np.generic]:
    """Return cells for any bundle: a spot of light of another size and strength in each, on a noisy background."""
    rng = np.random.default_rng(0)
    channels, height, width = bundle.frame_shape
    count = sum(RUNGS)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    spread = rng.uniform(0.1, 0.6, (count, channels, 1, 1))
    strength = rng.uniform(0, 100, (count, channels, 1, 1))
    spots = strength * np.exp(-(rows**2 + columns**2) / (2 * spread**2))
    frames: NDArray[np.generic] = (100 + rng.normal(0, 5, spots.shape) + spots).clip(0, 255).astype(bundle.dtype)
    return frames


def _answers(engine: Engine, frames: NDArray[np.generic]) -> NDArray[np.float32]:
    parts: list[Predictions] = []
    start = 0
    for rung in RUNGS if len(engine.ladder) > 1 else (len(frames),):
        engine.submit(frames[start : start + rung])
        predictions = engine.collect(timeout_s=_PATIENCE_S)
        if predictions is None:
            raise EngineError(f"{engine.name}: a batch of {rung} was not done after {_PATIENCE_S:g} s")
        parts.append(predictions)
        start += rung
    return np.concatenate([part.probabilities for part in parts])


def main(name: str, path: Path) -> None:
    """Print the check of this engine."""
    try:
        result = check(name, path)
    except CellgateError as error:
        result = failed(name, error)
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
