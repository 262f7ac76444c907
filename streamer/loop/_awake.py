"""Keep the processors from falling asleep while a series is open: waking one costs tens of microseconds a hop."""

from __future__ import annotations

import os
from pathlib import Path

from streamer.loop._log import logger

PATH = Path("/dev/cpu_dma_latency")
"""Linux: as long as a process holds this file open, no processor sleeps so deeply that it would wake later than the
32-bit number of microseconds written to it (kernel documentation, "PM Quality Of Service Interface")."""


class Awake:
    """Holds the processors awake between `hold` and `release`, where that is wished for and permitted.

    The file belongs to root by default; without the right to write it everything works as before, only later.
    """

    def __init__(self, wished: bool, path: Path = PATH) -> None:
        self._wished, self._path = wished, path
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether the processors are held awake."""
        return self._file is not None

    def hold(self) -> None:
        """Let no processor sleep deeply from now on; holding twice is holding once."""
        if not self._wished or self._file is not None:
            return
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
            os.write(self._file, (0).to_bytes(4, "little"))
        except OSError as error:
            self.release()
            self._wished = False  # it will be no different for the next series
            logger.info("processors may sleep between cells: %s (%s)", self._path, error.strerror)

    def release(self) -> None:
        """Let them sleep again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
