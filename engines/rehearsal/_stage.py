"""The stage: reads requests, one JSON object a line, and forks a process for each that may hang or die.

`python -m engines.rehearsal._stage`
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from engines.errors import InputError, MissingExtraError

WALL_PER_CPU = 3
"""A function that sleeps takes no processor time, as HDF5 does when it reads a damaged file again and again that says
it is still being written. So it has this many times as long by the clock, and no more."""
MEMORY = 2 << 30
"""Bytes that looking at a file may take beyond what the process has by itself."""

_MOST_REPLY = 1 << 20


def main() -> None:
    """Answer requests until there are no more."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers, Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())  # what a library prints is no answer
        for line in sys.stdin.buffer:
            request = json.loads(line)
            for name in (request["function"].partition(":")[0], *request["imports"]):
                with suppress(ImportError):  # the function will say so
                    importlib.import_module(name)
            gc.freeze()  # a collection in the fork would copy what it has in common with this process
            answers.write(_forked(request) + b"\n")
            answers.flush()


def _forked(request: dict[str, Any]) -> bytes:
    cpu_s = int(request["cpu_s"])
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(ours)
            _limit(cpu_s)
            reply = json.dumps(_call(request)).encode()
            with os.fdopen(theirs, "wb") as pipe:
                pipe.write(reply)
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        reply = pipe.read(_MOST_REPLY)
    _, status = os.waitpid(child, 0)
    return reply or json.dumps({"lost": _how(status, cpu_s)}).encode()


def _limit(cpu_s: int) -> None:
    own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY, own + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, wherever it is
    signal.alarm(WALL_PER_CPU * cpu_s)


def _call(request: dict[str, Any]) -> dict[str, Any]:
    module, _, name = request["function"].partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        return {"returned": function(Path(request["path"]), **request["arguments"])}
    except MissingExtraError as error:
        return {"raised": "MissingExtraError", "said": [error.feature, error.extra]}
    except InputError as error:
        return {"raised": type(error).__name__, "said": [error.source, error.field, error.found, error.expected]}
    except MemoryError:
        return {"lost": f"damage for which more than {MEMORY >> 30} GiB were asked"}
    except Exception as error:  # noqa: BLE001 - whatever a library makes of damage
        return {"lost": f"{type(error).__name__}: {error}"}


def _how(status: int, cpu_s: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if -code in (signal.SIGXCPU, signal.SIGKILL, signal.SIGALRM):
        return f"damage that a library did not come back from within {cpu_s} s"
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"damage that a library died of ({name})"


if __name__ == "__main__":
    main()
