"""An engine that answers at once: with it a measurement shows what the streamer costs and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engines.backends import Frames, Predictions, Wakeup, check_frames
from engines.bundle import Bundle, InputSpec, OutputSpec, write_bundle
from engines.errors import EngineError

CLASSES = ("wanted", "other", "debris")
EMBEDDING = 32
ANSWER_S = 1e-6
"""What it says a batch takes; 0 would make the loop's estimates of how late a batch will be meaningless."""


class InstantEngine:
    """Answers a batch while it is submitted, the same for every cell, through the interface every engine has.

    Parameters
    ----------
    bundle
        Its frames' shape and its outputs are the engine's; its graph is not looked at.
    ladder
        As of any engine; the top one is the largest batch.
    """

    name = "instant, for benches"
    capacity = 1

    def __init__(self, bundle: Bundle, ladder: tuple[int, ...]) -> None:
        self.bundle, self.ladder = bundle, ladder
        self._top = max(ladder)
        outputs = bundle.manifest.outputs
        probabilities = np.full((self._top, len(bundle.classes)), 0.1 / (len(bundle.classes) - 1), np.float32)
        probabilities[:, 0] = 0.9
        self._answer = (
            probabilities,
            np.zeros((self._top, outputs.embedding), np.float32),
            np.zeros((self._top, len(outputs.measurements)), np.float32),
        )
        self._under_way = 0
        self._wakeup = Wakeup()

    def warm(self) -> dict[int, float]:
        """Return what every rung takes: next to nothing."""
        return dict.fromkeys(self.ladder, ANSWER_S)

    def take(self, waiting: int) -> int:
        """Take all that wait, up to the top rung: no batch size is better than another."""
        return min(waiting, self._top)

    @property
    def ready(self) -> bool:
        """Whether `submit` can be called now."""
        return not self._under_way

    def submit(self, frames: Frames) -> None:
        """Answer a batch; see `Engine.submit`."""
        if self._under_way:
            raise EngineError(f"{self.name}: a batch is under way already")
        check_frames(self.name, self.bundle, frames, self._top)
        self._under_way = len(frames)
        self._wakeup.set()

    def collect(self, timeout_s: float = 0.0) -> Predictions | None:
        """Return the answer; see `Engine.collect`."""
        n = self._under_way
        if not n:
            return None
        self._under_way = 0
        self._wakeup.clear()
        probabilities, embedding, measurements = self._answer
        return Predictions(probabilities[:n], embedding[:n], measurements[:n], ANSWER_S)

    def fileno(self) -> int:
        """Return the descriptor that is readable while an answer waits."""
        return self._wakeup.fileno()

    def close(self) -> None:
        """Free the descriptor."""
        self._wakeup.close()


def write_instant_bundle(
    path: Path, *, channels: int = 2, height: int = 64, width: int = 64, classes: tuple[str, ...] = CLASSES
) -> Bundle:
    """Write a bundle for the engine above: a manifest as any, and in place of a graph a file that nobody reads."""
    names = tuple(f"channel {number}" for number in range(channels))
    return write_bundle(
        path,
        name="instant",
        classes=classes,
        inputs=InputSpec(names, "uint16", height, width),
        outputs=OutputSpec(EMBEDDING, tuple(f"{name}:mean" for name in names)),
        graphs={"fp32": (b"no graph: for the engine of the benches that answers at once", 17)},
    )
