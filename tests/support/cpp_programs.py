"""Run a program that prints lines of JSON."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.fake_streamer import PATIENCE_S


@contextmanager
def running(*command: object, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield process
        finally:
            process.kill()


def read(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, object]], str]:
    """Return exit status, the lines of JSON and what went to stderr."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, [json.loads(line) for line in out.splitlines()], err
