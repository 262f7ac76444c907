"""Run the trials of a cross-validation, several at a time, and keep each answer as soon as it is there."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.managers import SyncManager
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from engines.crossval._scheme import Trial
from engines.crossval._trial import CLASSICAL, Answer, answer, identity, load, save
from engines.errors import CellgateError, InputError
from engines.training._check import Labelled
from engines.training._checkpoint import Checkpoint
from engines.training._plan import Plan

_POLL_S = 0.2


def run_trials(
    labelled: Labelled,
    data: str,
    trials: list[Trial],
    plan: Plan,
    symmetries: tuple[int, ...],
    out: Path,
    *,
    jobs: int,
    quiet: bool,
) -> dict[str, Answer]:
    """Return each trial's answer by its name.

    What is found in `out` from an earlier, interrupted run of the same trials is not done again, and a trial that was
    interrupted goes on from its last epoch. With more than one
    job each has a process, and PyTorch `plan.threads` threads in each.

    Raises
    ------
    InputError
        `out` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputError("crossval", "out", error.strerror or str(error), "a directory that can be written") from error
    names = {trial.name: identity(data, plan, trial, symmetries) for trial in trials}
    kept = {trial.name: Checkpoint(out / f"{trial.name}.pt", names[trial.name], resume=True) for trial in trials}
    found = {trial.name: load(_path(out, trial), names[trial.name]) for trial in trials}
    todo = [trial for trial in trials if found[trial.name] is None]
    with _progress(len(trials), len(trials) - len(todo), quiet=quiet) as show:
        if jobs <= 1:
            for trial in todo:
                found[trial.name] = answered = _one(labelled, trial, plan, symmetries, kept[trial.name], show)
                save(answered, _path(out, trial), names[trial.name])
                show(trial.name, 1.0)
        else:
            with closing(_in_processes(labelled, todo, plan, symmetries, kept, jobs, show)) as answers:
                for trial, answered in answers:
                    found[trial.name] = answered
                    save(answered, _path(out, trial), names[trial.name])
        for trial in trials:
            kept[trial.name].clear()
    return {name: answered for name, answered in found.items() if answered is not None}


def _path(out: Path, trial: Trial) -> Path:
    return out / f"{trial.name}.npz"


def _one(
    labelled: Labelled, trial: Trial, plan: Plan, symmetries: tuple[int, ...], kept: Checkpoint, show: Any
) -> Answer:
    """Run one trial in this process."""
    if plan.network == CLASSICAL:
        return answer(labelled, trial, plan, symmetries, kept)
    from engines.training._run import settings

    with settings(plan):
        return answer(labelled, trial, plan, symmetries, kept, lambda share, _epoch, _figures: show(trial.name, share))


_SHARED: dict[str, Any] = {}


def _begin(labelled: Labelled, plan: Plan, symmetries: tuple[int, ...], told: Any, stop: Event) -> None:
    """Give a worker process the cells once, and not with every trial; it ends when the process it works for does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal's processes: the first one acts
    _watch(stop)
    _SHARED.update(labelled=labelled, plan=plan, symmetries=symmetries, told=told)


def _watch(stop: Event) -> None:
    threading.Thread(target=_end_with, args=(os.getppid(), stop), daemon=True).start()


def _end_with(parent: int, stop: Event) -> None:
    # A killed parent cannot tell its workers, and a trial takes minutes: they would go on for nobody. Ending in the
    # middle of a trial loses at most its current epoch: a checkpoint is whole or not there.
    while os.getppid() == parent and not stop.wait(1):
        pass
    os._exit(1)


def _work(trial: Trial, kept: Checkpoint) -> Answer:
    told, last = _SHARED["told"], [-1]

    def show(name: str, share: float) -> None:
        if (percent := int(100 * share)) != last[0]:
            last[0] = percent
            told.put((name, share))

    found = _one(_SHARED["labelled"], trial, _SHARED["plan"], _SHARED["symmetries"], kept, show)
    told.put((trial.name, 1.0))
    return found


def _in_processes(
    labelled: Labelled,
    todo: list[Trial],
    plan: Plan,
    symmetries: tuple[int, ...],
    kept: dict[str, Checkpoint],
    jobs: int,
    show: Any,
) -> Generator[tuple[Trial, Answer], None, None]:
    # A fresh interpreter each: PyTorch's threads do not survive a fork.
    context = get_context("spawn")
    stop, manager = context.Event(), SyncManager(ctx=context)
    manager.start(_watch, (context.Event(),))
    with manager:
        told = manager.Queue()
        shared = (labelled, plan, symmetries, told, stop)
        with ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=shared) as pool:
            running: dict[Future[Answer], Trial] = {
                pool.submit(_work, trial, kept[trial.name]): trial for trial in todo
            }
            try:
                while running:
                    with suppress(queue.Empty):
                        show(*told.get(timeout=_POLL_S))
                    for future in [future for future in running if future.done()]:
                        yield running.pop(future), _result(future)
            finally:
                if running:  # interrupted, or one has failed: the others are not waited for
                    stop.set()
                pool.shutdown(cancel_futures=True)


def _result(future: Future[Answer]) -> Answer:
    try:
        return future.result()
    except (RuntimeError, OSError) as error:
        raise CellgateError(f"crossval: a trial ended: {error}") from error


@contextmanager
def _progress(count: int, done: int, *, quiet: bool) -> Iterator[Any]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as bar:
        task = bar.add_task(f"{count} trials", total=count, completed=done)
        shares: dict[str, float] = {}

        def show(name: str, share: float) -> None:
            news = share >= 1 > shares.get(name, 0.0)
            shares[name] = share
            bar.update(task, completed=done + sum(shares.values()))
            if news:
                bar.console.print(f"{name} done", highlight=False)

        yield show
