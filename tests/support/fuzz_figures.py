"""What a run of damaged files came to: how many were read and refused, and the most time and memory one took."""

import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

MOST_S = 20.0
"""Processor time for one damaged file, reading it in every way; what hangs takes more."""


class Figures:
    """Counts what came of each case, and the most processor time that one took."""

    def __init__(self):
        self.outcomes, self.worst_s = Counter(), 0.0

    @contextmanager
    def case(self):
        """Time one case; the block is told where to count what came of it."""
        began = time.process_time()
        yield self.outcomes
        self.worst_s = max(self.worst_s, time.process_time() - began)

    def found(self, **more):
        """Return the figures by name."""
        return {**self.outcomes, "worst_s": round(self.worst_s, 3), **more}


def peak_mib():
    """Return the most memory this program has held; `getrusage` would count what the process was before it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
