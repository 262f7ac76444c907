"""The loop and its sockets' threads go before whatever else wants their processors, where the system permits it."""

from __future__ import annotations

import os

import zmq

from streamer.loop._log import logger

LOOP_PRIORITY, SOCKETS_PRIORITY = 1, 2
"""The lowest there are: the kernel's own stay ahead. What the loop hands to a socket leaves while the loop goes on."""

_POLICY = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
"""The threads that the loop starts are ordinary ones: a journal may wait for its disk, a cell may not wait for it."""


class Realtime:
    """Scheduling as a real-time thread (`SCHED_FIFO`) between `hold` and `release`, if wished for and permitted.

    A thread that is woken otherwise waits until the one that runs, often the sender that has just woken it, has had its
    share. On a single processor nobody else would get on, so there it is not done. Holding twice is holding once.

    Parameters
    ----------
    wished
        Whether it is wished for.
    spinning
        Whether the loop never sleeps: such a thread must not be one that nobody interrupts, only its sockets' are.
    """

    def __init__(self, wished: bool, *, spinning: bool = False) -> None:
        self._granted = wished and _permitted()
        self._loop = self._granted and not spinning
        self._held = False

    @property
    def granted(self) -> bool:
        """Whether it was wished for and is permitted."""
        return self._granted

    def let_sockets(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Have the threads of a context that has no socket yet scheduled so."""
        if self._granted:
            context.set(zmq.THREAD_SCHED_POLICY, os.SCHED_FIFO)
            context.set(zmq.THREAD_PRIORITY, SOCKETS_PRIORITY)

    def hold(self) -> None:
        """Have the calling thread scheduled so from now on."""
        if self._loop and not self._held:
            os.sched_setscheduler(0, _POLICY, os.sched_param(LOOP_PRIORITY))
            self._held = True

    def release(self) -> None:
        """Make the calling thread, which must be the one that called `hold`, an ordinary one again."""
        if self._held:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            self._held = False


def _permitted() -> bool:
    """Try it: rights, limits and sandboxes all have their say."""
    if len(os.sched_getaffinity(0)) < 2:
        logger.info("no real-time scheduling: there is one processor, which others need as well")
        return False
    before, given = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, _POLICY, os.sched_param(SOCKETS_PRIORITY))
    except OSError as error:
        logger.info("no real-time scheduling (%s): others may go before the loop", error.strerror)
        return False
    os.sched_setscheduler(0, before, given)
    return True
