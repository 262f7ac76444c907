"""Which stage of the loop the time goes to: the stack of its thread, looked at a thousand times a second."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL_S = 0.001
WAITING = "waiting"

# By file of the source, innermost frame first; what is called from several stages (the protocol) is left to its caller.
_STAGES = (
    ("streamer/journal/", "journal"),
    ("streamer/report/", "journal"),
    ("streamer/telemetry/", "telemetry"),
    ("streamer/loop/_snapshots", "telemetry"),
    ("streamer/decision/_outlet", "publish"),
    ("streamer/decision/", "decision"),
    ("streamer/loop/_rows", "decision"),
    ("streamer/loop/_sorting", "decision"),
    ("streamer/loop/_settle", "settle"),
    ("streamer/ingest/_waiting", "dispatch"),
    ("streamer/ingest/", "ingest"),
    ("streamer/loop/_intake", "ingest"),
    ("engines/backends/", "engine"),
    ("engines/pytorch/", "engine"),
    ("engines/tensorrt/", "engine"),
    ("bench/live/_instant", "engine"),
    ("streamer/loop/_dispatch", "dispatch"),
    ("streamer/loop/", "loop"),
)


class Profile:
    """Samples the main thread from a timer signal, and remembers what the process's threads are called."""

    def __init__(self) -> None:
        self._stages: Counter[str] = Counter()
        self._threads: dict[int, str] = {}
        self._samples = 0

    def start(self) -> None:
        """Sample from now on; in the main thread."""
        signal.signal(signal.SIGALRM, self._sample)
        signal.setitimer(signal.ITIMER_REAL, INTERVAL_S, INTERVAL_S)

    def stop(self) -> None:
        """Sample no more."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def write(self, path: Path) -> None:
        """Write how many samples fell into which stage, and the names of the threads seen by their numbers."""
        path.write_text(json.dumps({"samples": dict(self._stages), "threads": self._threads}))

    def _sample(self, _: int, frame: FrameType | None) -> None:
        self._stages[_stage(frame)] += 1
        self._samples += 1
        if self._samples % 200 == 1:
            self._threads |= {thread.native_id or 0: thread.name for thread in threading.enumerate()}


def _stage(frame: FrameType | None) -> str:
    if frame is not None and frame.f_code.co_name == "poll":
        return WAITING
    while frame is not None:
        file = frame.f_code.co_filename
        for part, stage in _STAGES:
            if part in file:
                return stage
        frame = frame.f_back
    return "loop"
