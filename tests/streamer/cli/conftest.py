"""Run the command line as a user does, in a process of its own."""

import subprocess
import sys

import pytest


@pytest.fixture
def cellgate(tmp_path):
    """Run `cellgate` with these arguments in an empty directory."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "streamer.cli", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
