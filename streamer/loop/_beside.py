"""One slow job at a time on a thread of its own, beside the loop."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from engines.backends import Wakeup, last_line
from engines.errors import CellgateError, EngineError

Result = TypeVar("Result")
Say = Callable[[str], None]
"""Tells the loop how far the job is."""

SWITCH_S = 0.0005
"""For how long at most the job's Python keeps the interpreter from a loop that wants it. Python's own value, ten times
as much, is longer than some series' deadlines. What compiles and hashes lets go of the interpreter by itself."""


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """How a job ended: with a result, or an error of one line."""

    result: Result | None
    error: CellgateError | None


class Beside(Generic[Result]):
    """Runs jobs. All methods belong to the loop's thread, and none of them waits but `close`."""

    def __init__(self) -> None:
        self._wakeup = Wakeup()
        self._words: deque[str | Outcome[Result]] = deque()
        # A word and its wake-up are one: between them the loop would clear one that comes later, or keep a stale one.
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is under way whose end `look` has not returned."""
        return self._thread is not None

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to look at."""
        return self._wakeup.fileno()

    def start(self, job: Callable[[Say], Result]) -> None:
        """Begin a job; none may be under way."""
        assert self._thread is None  # noqa: S101 - its caller looks
        # A daemon: a device that hangs while it is set up must not keep the process for ever.
        self._thread = threading.Thread(target=self._run, args=(job,), name="beside", daemon=True)
        self._thread.start()

    def look(self) -> str | Outcome[Result] | None:
        """Return the next thing the job has said, or how it ended; None if there is nothing new."""
        if self._thread is None:
            return None
        with self._lock:
            word = self._words.popleft() if self._words else None
            if not self._words:
                self._wakeup.clear()
        if isinstance(word, Outcome):
            self._thread = None
        return word

    def close(self, timeout_s: float) -> Outcome[Result] | None:
        """Wait for a job under way; return how it ended, or None if it has not or there was none."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        while self._thread is not None:
            word = self.look()
            if isinstance(word, Outcome):
                return word
            if word is None:
                break
        return None

    def _run(self, job: Callable[[Say], Result]) -> None:
        before = sys.getswitchinterval()
        sys.setswitchinterval(min(before, SWITCH_S))
        try:
            outcome = Outcome(job(self._put), None)
        except CellgateError as error:
            outcome = Outcome(None, error)
        except Exception as error:  # noqa: BLE001 - libraries raise what they like, and the loop must hear of it
            outcome = Outcome(None, EngineError(f"{type(error).__name__}: {last_line(error)}"))
        finally:
            sys.setswitchinterval(before)
        self._put(outcome)

    def _put(self, word: str | Outcome[Result]) -> None:
        with self._lock:
            self._words.append(word)
            self._wakeup.set()
