"""A peer's server, running for the time of a measurement."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import zmq
from numpy.typing import NDArray

from bench.live import Started, Target, peer_link
from bench.peers._catalogue import Peer, Setting
from bench.peers._processes import end_tree
from engines.backends import without_measurements
from engines.bundle import Bundle, Precision
from engines.errors import CellgateError
from streamer.vocabulary import Reason
from streamer.wire import DECISION

START_S = 60.0
ANSWER_S = 20.0
SERVERS = Path(__file__).with_name("servers")
_ERROR = re.compile(r"[\w.]*(Error|Exception)\b")
"""How the last line of a traceback begins."""

Frames = NDArray[np.generic]


class Server(Started):
    """A peer with one of its settings. A context manager; once entered it has answered a cell.

    Parameters
    ----------
    python
        The interpreter that has the peer.
    threads
        Inference threads of each worker.

    Raises
    ------
    CellgateError
        It did not start; the text is the last thing it said.
    """

    def __init__(
        self, peer: Peer, setting: Setting, bundle: Bundle, *, python: Path, threads: int, precision: Precision = "fp32"
    ) -> None:
        super().__init__()
        self._peer, self._bundle = peer, bundle
        self._port = _free_port()
        with self._starting() as stack:
            # A short path: Ray puts sockets into it, whose paths may not be longer than about a hundred characters.
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cg-", ignore_cleanup_errors=True)))
            # What Cellgate leaves out where no gate looks at it, the peers need not compute either.
            graph = scratch / "graph.onnx"
            graph.write_bytes(without_measurements(bundle, bundle.graph(precision)))
            order = {
                "graph": str(graph),
                "shape": bundle.frame_shape,
                "dtype": bundle.dtype.name,
                "classes": len(bundle.classes),
                "threads": threads,
                "port": self._port,
                "batch": setting.batch,
                "wait_s": setting.wait_ms * 1e-3,
                "workers": setting.workers,
            }
            command = [str(python), "-P", "-m", f"bench.peers.servers.{peer.module}", json.dumps(order)]
            self._log = scratch / "server.log"
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own server, in an environment of ours
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=scratch,
                    env=_variables(peer, scratch),
                    start_new_session=True,  # Ctrl-C is for the bench, which then ends the server
                )
            stack.callback(end_tree, self._process)
            self._await_answer()

    @property
    def pid(self) -> int:
        """The server's first process."""
        return self._process.pid

    def target(self) -> Target:
        """Return where to send cells."""
        _, height, width = self._bundle.frame_shape
        return Target(
            cells=f"tcp://127.0.0.1:{self._port}",
            decisions=None,
            channels=self._bundle.manifest.input.channels,
            dtype=self._bundle.dtype.name,
            shape=(height, width),
            speaks=self._peer.speaks,
            classes=len(self._bundle.classes),
        )

    def answers(self, frames: Frames) -> NDArray[np.float32]:
        """Ask for cell after cell; return the probabilities, `(n, classes)`. `CellgateError` if one is refused."""
        found = [self._ask(frame) for frame in frames]
        return np.array(found, np.float32)

    def _await_answer(self) -> None:
        frame = np.zeros(self._bundle.frame_shape, self._bundle.dtype)
        until = time.monotonic() + START_S
        while True:
            code = self._process.poll()
            if code is not None:
                raise CellgateError(f"{self._peer.title} ended with code {code}: {self._said()}")
            try:
                self._ask(frame)
            except CellgateError as error:
                if time.monotonic() > until:
                    raise CellgateError(f"{self._peer.title}: no answer within {START_S:g} s: {error}") from error
                time.sleep(0.2)
            else:
                return

    def _ask(self, frame: Frames) -> NDArray[np.float32]:
        link = peer_link(self.target())
        try:
            block = zmq.Frame(np.ascontiguousarray(frame).reshape(-1).view(np.uint8).data, copy=False)
            link.send(link.pack(0, np.zeros(1, np.uint64), block))
            until = time.monotonic() + ANSWER_S
            while not link.receive():
                select.select([link.fileno()], (), (), 0.1)
                if time.monotonic() > until or self._process.poll() is not None:
                    raise CellgateError(f"{self._peer.title}: no answer within {ANSWER_S:g} s; {self._said()}")
            record = np.frombuffer(link.received[0][1], DECISION)[0]
            if record["reason"] == Reason.ENGINE_FAULT:
                raise CellgateError(f"{self._peer.title} answered {link.answer[:200]!r}; {self._said()}")
            # Triton puts a description before the numbers; they are last in every answer.
            return np.frombuffer(link.answer[-4 * len(self._bundle.classes) :], np.float32)
        except OSError as error:
            raise CellgateError(f"{self._peer.title} cannot be reached: {error}; {self._said()}") from error
        finally:
            link.close()

    def _said(self) -> str:
        """Return the last line of the log that names an error, else the last."""
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if _ERROR.match(line)]
        return (errors or lines or ["it said nothing"])[-1][:300]


def _variables(peer: Peer, scratch: Path) -> dict[str, str]:
    """Return a server's environment: its own, and a path with nothing on it but the servers.

    Were the bench's folder on the path, or installed beside the peers, they would find Cellgate's packages in place of
    their own.
    """
    room = scratch / "path" / "bench" / "peers"
    room.mkdir(parents=True)
    for package in (room.parent, room):
        (package / "__init__.py").touch()
    (room / "servers").symlink_to(SERVERS, target_is_directory=True)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    places = {"PYTHONPATH": str(scratch / "path"), "TMPDIR": str(scratch), "RAY_TMPDIR": str(scratch)}
    return {**kept, **places, "PYTHONDONTWRITEBYTECODE": "1", **peer.variables}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        return int(holder.getsockname()[1])
