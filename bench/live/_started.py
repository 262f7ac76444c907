"""Something started for the time of a measurement, and all that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self


class Started:
    """A process and what it needs, started in the constructor and ended with the `with` block around it."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    @contextmanager
    def _starting(self) -> Iterator[ExitStack]:
        """Yield what takes what is to be ended; it is ended at once where the block fails."""
        try:
            yield self._stack
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
