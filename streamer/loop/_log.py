"""A log that a flood of bad messages cannot flood."""

from __future__ import annotations

import logging
import time
from collections import Counter

logger = logging.getLogger("cellgate")

INTERVAL_NS = 1_000_000_000


class BoundedLog:
    """Logs at most one line per key and second, and says how many it held back."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._held: Counter[str] = Counter()

    def warning(self, key: str, text: object) -> None:
        """Log `text` under `key`, or count it if this key was logged less than a second ago."""
        now = time.monotonic_ns()
        if now - self._last.get(key, -INTERVAL_NS) < INTERVAL_NS:
            self._held[key] += 1
            return
        held = self._held.pop(key, 0)
        self._last[key] = now
        more = f" (and {held} more like it)" if held else ""
        logger.warning("%s%s", text, more)
