"""The loop and its sockets' threads go before whatever else wants their processors, while they need them little."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from streamer.loop._log import logger

LOOP_PRIORITY, SOCKETS_PRIORITY = 1, 2
"""The lowest there are: the kernel's own stay ahead. What the loop hands to a socket leaves while the loop goes on."""
HOLD_BELOW, RELEASE_ABOVE = 0.45, 0.6
"""The share of its time that the loop works, averaged over some `TURNS` turns."""
TURNS = 32
LONG_WAIT_NS = 10_000_000
"""A longer wait says no more than this one: nothing comes."""

# The threads that the loop starts are ordinary ones: a journal may wait for its disk, a cell may not wait for it.
_POLICY = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
_TASKS = Path("/proc/self/task")


class Realtime:
    """Scheduling as real-time threads (`SCHED_FIFO`) while the load is light, if wished for and permitted.

    A thread that is woken otherwise waits until the one that runs, often the sender that has just woken it, has had its
    share. Under a heavy load it is the other way round: the sender is interrupted again and again, and what it would
    have sent waits instead. On a single processor nobody else would get on, so there it is never done.

    All methods but the constructor belong to the loop's thread.

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
        self._sockets: frozenset[int] = frozenset()
        self._held = False
        self._waited = self._worked = 0.0

    @property
    def granted(self) -> bool:
        """Whether it was wished for and is permitted."""
        return self._granted

    @property
    def held(self) -> bool:
        """Whether it is so now."""
        return self._held

    def adopt(self, threads: frozenset[int]) -> None:
        """Take these threads, by the system's numbers, for those of the sockets."""
        self._sockets = threads if self._granted else frozenset()

    def hold(self) -> None:
        """Have the calling thread and the sockets' scheduled so from now on; holding twice is holding once."""
        if self._granted and not self._held:
            self._held = True
            if self._loop:
                os.sched_setscheduler(0, _POLICY, os.sched_param(LOOP_PRIORITY))
            self._schedule_sockets(_POLICY, SOCKETS_PRIORITY)

    def release(self) -> None:
        """Make them ordinary threads again."""
        if self._held:
            self._held = False
            self._schedule_sockets(os.SCHED_OTHER, 0)
            if self._loop:
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    def follow(self, waited_ns: int, worked_ns: int, *, elsewhere: bool, losing: bool = False) -> None:
        """Hold or release as a turn of the loop suggests.

        Parameters
        ----------
        waited_ns, worked_ns
            How long it waited and worked.
        elsewhere
            Whether the engine is at work on another thread. It needs a processor as well, which a loop that goes first
            would take from it again and again.
        losing
            Whether cells are being shed: whoever sends more than can be decided has to wait then, not who decides.
        """
        self._waited += (min(waited_ns, LONG_WAIT_NS) - self._waited) / TURNS
        self._worked += (worked_ns - self._worked) / TURNS
        share = self._worked / (self._waited + self._worked + 1e-9)
        if elsewhere or (share > RELEASE_ABOVE and not losing):
            self.release()
        elif losing or share < HOLD_BELOW:
            self.hold()

    def _schedule_sockets(self, policy: int, priority: int) -> None:
        for thread in self._sockets:
            with suppress(OSError):  # it has ended
                os.sched_setscheduler(thread, policy, os.sched_param(priority))


def foreign_threads() -> frozenset[int]:
    """Return the threads of this process that are not Python's, by the system's numbers."""
    own = {thread.native_id for thread in threading.enumerate()}
    return frozenset(int(task.name) for task in _TASKS.iterdir()) - own


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
