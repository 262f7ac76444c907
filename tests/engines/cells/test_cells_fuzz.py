"""Damaged archives and images in any number: cells, or one line; never a traceback, a hang or all the memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


def fuzz(seed, count, timeout):
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.fuzz_cells", str(seed), str(count)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def check(found, count):
    assert found["read"] + found["refused"] == count
    assert min(found["read"], found["refused"]) > count / 20, "damage that always or never matters tests nothing"
    assert found["peak_kib"] < 600 * 1024


def test_damaged_files_are_read_or_refused():
    check(fuzz(1, 400, 120), 400)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_thousand_damaged_files_are_read_or_refused():
    check(fuzz(2, 20_000, 3500), 20_000)
