"""The demo's processes: the streamer, the observer and the cytometer, each as a user would start it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from engines.errors import CellgateError

STOP_S = 20.0


class Child:
    """A `cellgate` command in a process of its own, its output in a log file. A context manager that ends it.

    `module` is another program to run with the arguments, by the name `python -m` takes.
    """

    def __init__(self, name: str, arguments: list[str], directory: Path, *, module: str = "streamer.cli") -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own arguments
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, word: str, timeout_s: float = 120.0) -> str:
        """Return the first line of the log that has `word` in it; `CellgateError` if the process ends before."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            over = self._process.poll() is not None
            for line in self.log.read_text(errors="replace").splitlines():
                if word in line:
                    return line
            if over:
                raise self.failure()
            time.sleep(0.05)
        raise CellgateError(f"{self.name}: no {word!r} within {timeout_s:g} s; see {self.log}")

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def failure(self) -> CellgateError:
        """Return an error with the last thing the process said."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        said = lines[-1].removeprefix("cellgate: ") if lines else "nothing"
        return CellgateError(f"{self.name} ended with code {self.code}: {said}")

    def stop(self) -> None:
        """Ask the process to end, and make it end after a while."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
        if self.running:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
