"""Run a bundle over a recording: reading and fitting on one thread, the engine kept busy from another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from engines.backends import Engine, Predictions
from engines.cells._recording import Recording
from engines.errors import EngineError
from engines.offline._ahead import ahead
from engines.offline._blocks import Block, blocks_of
from engines.offline._parts import Parts

PATIENCE_S = 600.0
_ASK_S = 1.0


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

    A block is handed out once the first batch of the next one is under way, so that what the caller does with it costs
    the engine no time. If reading or the engine fails then, the block that is done comes first, then the error.
    """
    done: tuple[Block, list[Predictions]] | None = None
    try:
        for block in blocks:
            found: list[Predictions] = []
            for at in range(0, len(block), batch):
                engine.submit(block.frames[at : at + batch])
                if done is not None:
                    finished, done = done, None
                    try:
                        yield finished
                    except GeneratorExit:
                        _wait(engine)
                        raise
                found.append(_wait(engine))
            if done is not None:  # a block without cells, only skipped ones
                finished, done = done, None
                yield finished
            done = block, found
    except BaseException:
        if done is not None:
            yield done
        raise
    if done is not None:
        yield done


def _wait(engine: Engine) -> Predictions:
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        found = engine.collect(_ASK_S)
        if found is not None:
            return found
    raise EngineError(f"{engine.name}: a batch was not done after {PATIENCE_S:.0f} s")
