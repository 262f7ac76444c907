"""Damaged archives and images in any number: cells, or one line; never a traceback, a hang or all the memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fuzz_figures import MOST_S

REPOSITORY = Path(__file__).parents[3]


def fuzz(reader, seed, count, timeout):
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.fuzz_cells", reader, str(seed), str(count)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    print(reader, done.stdout)
    return json.loads(done.stdout)


def check(found, count):
    assert found["read"] + found["refused"] == count
    assert min(found["read"], found["refused"]) > count / 20, "damage that always or never matters tests nothing"
    assert found["peak_mib"] < 600
    assert found["worst_s"] < MOST_S


@pytest.mark.parametrize("reader", ["npz", "folder"])
def test_damaged_files_are_read_or_refused(reader):
    check(fuzz(reader, 1, 300, 120), 300)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("reader", ["npz", "folder"])
def test_twenty_thousand_damaged_files_are_read_or_refused(reader):
    check(fuzz(reader, 2, 20_000, 3500), 20_000)
