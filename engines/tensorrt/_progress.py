"""Pass TensorRT's building progress on."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

Progress = Callable[[str, int, int], None]
"""Called with the phase, the steps done and the steps there are; from TensorRT's threads, one call at a time."""


def monitor(trt: Any, progress: Progress) -> Any:
    """Return an `IProgressMonitor` that calls `progress`; a build is not cancelled by it."""
    lock = Lock()
    totals: dict[str, int] = {}

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            with lock:
                totals[phase_name] = num_steps
                progress(phase_name, 0, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            with lock:
                progress(phase_name, step + 1, totals.get(phase_name, step + 1))
            return True

        def phase_finish(self, phase_name: str) -> None:
            with lock:
                total = totals.pop(phase_name, 0)
                progress(phase_name, total, total)

    return Monitor()
