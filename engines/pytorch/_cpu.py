"""A lane of the PyTorch engine on the CPU."""

from __future__ import annotations

import numpy as np
import torch

from engines.backends import Frames, Worker, WorkerLane
from engines.bundle import Bundle
from engines.pytorch._program import Program


class CpuLane(WorkerLane):
    """Frames in NumPy's memory, shared with PyTorch."""

    def __init__(self, worker: Worker, bundle: Bundle, frames: Frames, program: Program) -> None:
        outputs = bundle.manifest.outputs
        widths = (len(bundle.classes), outputs.embedding, len(outputs.measurements))
        super().__init__(worker, frames, tuple(np.zeros((len(frames), width), np.float32) for width in widths))
        self._program = program
        self._frames = torch.from_numpy(frames)
        self._outputs = tuple(torch.from_numpy(output) for output in self.outputs)

    def run(self) -> None:
        """Run on the calling thread."""
        with torch.inference_mode():
            for place, found in zip(self._outputs, self._program(self._frames), strict=True):
                place.copy_(found)
