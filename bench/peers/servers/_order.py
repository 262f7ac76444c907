"""What a server is asked to serve, and that it ends with whoever asked."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """What to serve, as the bench writes it on the command line in JSON.

    Attributes
    ----------
    graph
        Path of the ONNX graph.
    shape, dtype
        `(C, H, W)` and dtype of a cell's raw counts.
    classes
        How many probabilities it answers with.
    threads
        Inference threads of each copy of the network.
    port
        Where to listen, on 127.0.0.1.
    batch
        Most cells of one call of the network.
    wait_s
        For how long a batch that is not full may be held back.
    workers
        Copies of the network.
    """

    graph: str
    shape: tuple[int, int, int]
    dtype: str
    classes: int
    threads: int
    port: int
    batch: int
    wait_s: float
    workers: int


def read_order() -> Order:
    """Return what the command line asks for; from now on this process and what it starts end with its parent."""
    given = json.loads(sys.argv[1])
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    return Order(**{**given, "shape": tuple(given["shape"])})


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    # Whoever asked is gone and cannot tidy up. The group is this server's own where the bench has started it.
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
