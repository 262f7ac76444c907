"""Batch after batch through an engine, for callers that want them all and none in particular soon."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from engines.backends._interface import Engine, Frames, Predictions
from engines.errors import EngineError

T = TypeVar("T")
PATIENCE_S = 600.0
_LAST_PATIENCE_S = 10.0
_ASK_S = 1.0


def keep_busy(
    engine: Engine, batches: Iterable[tuple[T, Frames]], patience_s: float = PATIENCE_S
) -> Iterator[tuple[T, Predictions]]:
    """Yield what came with each batch and the engine's predictions of it, in order.

    As many batches as the engine takes are under way, also while the next one is made and while the caller handles an
    answer. If making a batch or submitting it fails, the answers to those before it come first, then the error.

    Raises
    ------
    EngineError
        A batch failed, or was not done after `patience_s`; those after it are then waited for and dropped.
    """
    source = iter(batches)
    under_way: deque[tuple[T, Frames]] = deque()  # the engine asks that frames stay as they are until collected
    failed: Exception | None = None

    def oldest() -> tuple[T, Predictions]:
        what, _ = under_way.popleft()
        return what, _wait(engine, patience_s)

    try:
        while failed is None:
            try:
                batch = next(source)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - raised below
                failed = error
                break
            done = oldest() if len(under_way) >= engine.capacity else None
            try:
                engine.submit(batch[1])
                under_way.append(batch)
            except EngineError as error:
                failed = error
            if done is not None:
                yield done
        while under_way:
            yield oldest()
        if failed is not None:
            raise failed
    finally:
        for _ in under_way:
            with suppress(EngineError):
                _wait(engine, _LAST_PATIENCE_S)


def _wait(engine: Engine, patience_s: float) -> Predictions:
    give_up_at = time.monotonic() + patience_s
    while time.monotonic() < give_up_at:
        found = engine.collect(_ASK_S)
        if found is not None:
            return found
    raise EngineError(f"{engine.name}: a batch was not done after {patience_s:.0f} s")
