"""Ask the stage, a process kept for it, to call a function with a file."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engines.errors import CellsError, InputError, MissingExtraError

CPU_S = 10
_END_S = 5.0
_RAISED: dict[str, type[InputError]] = {"InputError": InputError, "CellsError": CellsError}


def rehearse(
    function: str,
    path: Path,
    *,
    imports: Sequence[str] = (),
    raises: type[InputError] = CellsError,
    cpu_s: int = CPU_S,
    **arguments: Any,
) -> Any:
    """Call a function with `path` and these arguments in a process of its own, and return what it returns.

    The process is forked from one that has imported the function's module before, which takes some milliseconds; that
    one is started at the first call and ends with this process.

    Parameters
    ----------
    function
        `module:name`. It takes the path first, and takes and returns what JSON can say.
    imports
        Libraries to import before, once for all files, where they are there.
    raises
        What to raise where the function does not come back: it hung, died, or took more memory than it may. It is then
        not called again with this file as it is.
    cpu_s
        Processor time it may take, in seconds, and a second more for each 256 MiB of the file.

    Raises
    ------
    InputError
        What the function raised, or that it did not come back.
    MissingExtraError
        As the function raised it.
    """
    known = (str(path), *_state(path))
    request = {
        "function": function,
        "path": str(path),
        "imports": list(imports),
        "cpu_s": cpu_s + (known[1] >> 28),
        "arguments": arguments,
    }
    if known in _lost:
        raise raises(path, "file", _lost[known], "a whole file")
    try:
        reply = _stage().ask(request)
    except OSError as error:
        raise raises(path, "file", f"no process to look at it in: {error.strerror or error}", "one") from error
    match reply:
        case {"returned": value}:
            return value
        case {"raised": "MissingExtraError", "said": [feature, extra]}:
            raise MissingExtraError(feature, extra)
        case {"raised": name, "said": [source, field, found, expected]}:
            raise _RAISED.get(name, InputError)(source, field, found, expected)
    _lost[known] = str(reply.get("lost", "no answer"))
    raise raises(path, "file", _lost[known], "a whole file")


def _state(path: Path) -> tuple[int, int]:
    """Return size and time of a file, zeros where there is none."""
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


_lost: dict[tuple[str, int, int], str] = {}
"""What became of files whose functions did not come back: a user need not wait for the same again."""


class _Stage:
    """The process that forks one for each file."""

    def __init__(self) -> None:
        paths = [str(Path(place).absolute()) for place in sys.path]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "engines.rehearsal._stage"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # One thread, as processes are forked from it. A Ctrl-C is for us, not for it: it ends when its input does.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self.owner = os.getpid()
        self._lock = threading.Lock()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - for the type checker
        assert stdout is not None  # noqa: S101
        with self._lock:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
            line = stdout.readline()
        if not line:
            raise ChildProcessError(0, f"it ended with code {self._process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def close(self) -> None:
        """Let it end, and wait where it is ours."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        if self.owner == os.getpid():
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def running(self) -> bool:
        """Whether it is there, and ours: not that of the process we were forked from."""
        return self.owner == os.getpid() and self._process.poll() is None


_stages: list[_Stage] = []
"""The one in use is last; those before it are of processes we were forked from."""
_starting = threading.Lock()


def _stage() -> _Stage:
    with _starting:
        if not _stages or not _stages[-1].running:
            _end()
            _stages.append(_Stage())
        return _stages[-1]


@atexit.register
def _end() -> None:
    for stage in _stages:
        stage.close()
