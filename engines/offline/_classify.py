"""Run a bundle over a recording: reading and fitting on one thread, the engine kept busy from another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from engines.backends import Engine, Frames, Predictions, keep_busy
from engines.cells._recording import Recording
from engines.offline._ahead import ahead
from engines.offline._blocks import Block, blocks_of
from engines.offline._parts import Parts


def classify(
    recording: Recording,
    engine: Engine,
    parts: Parts,
    *,
    picked: list[int],
    batch: int,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Classify the cells of a recording that `parts` does not hold yet, and add them to it.

    What was finished is in `parts` however this ends.

    Parameters
    ----------
    picked
        See `channels_of`.
    batch
        Cells per batch, at most the engine's top rung.
    progress
        Called with the number of cells of the recording that are behind us.

    Raises
    ------
    CellsError
        The recording cannot be read on.
    EngineError
        The engine failed, or did not answer for ten minutes.
    """
    blocks = blocks_of(recording, engine.bundle, picked, start=parts.end, batch=batch)
    progress(parts.end)
    with ahead(blocks) as read:
        try:
            for block, found in classified(engine, read, batch):
                parts.add(block, found)
                progress(block.end)
        finally:
            parts.flush()


def classified(engine: Engine, blocks: Iterable[Block], batch: int) -> Iterator[tuple[Block, list[Predictions]]]:
    """Yield each block with the predictions of its batches.

    A block is handed out when as many batches after it are under way as the engine takes, so that what the caller does
    with it costs the engine no time. If reading or the engine fails, the blocks that are done come first, then the
    error.
    """
    waiting: deque[tuple[Block, list[Predictions]]] = deque()

    def batches() -> Iterator[tuple[None, Frames]]:
        for block in blocks:
            waiting.append((block, []))
            for at in range(0, len(block), batch):
                yield None, block.frames[at : at + batch]

    def done() -> Iterator[tuple[Block, list[Predictions]]]:
        while waiting and len(waiting[0][1]) * batch >= len(waiting[0][0]):  # true of a block of skipped cells only
            yield waiting.popleft()

    try:
        for _, found in keep_busy(engine, batches()):
            yield from done()
            waiting[0][1].append(found)
            yield from done()
    except Exception:
        yield from done()
        raise
    yield from done()
