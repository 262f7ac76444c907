"""Disks that refuse: one that is full, as far as a process can tell, and real ones of a few kilobytes or read-only."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
_FULL = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
"""
_MOUNTED = 'mount -t tmpfs -o "$0" none "$1" && exec "$2" -c "$3" "$1" "${@:4}"'


def where_files_end(limit, code, *arguments):
    """Run code, which prints JSON, in a process whose files may not grow beyond `limit` bytes; return that."""
    return _printed([sys.executable, "-c", _FULL + code, str(limit), *map(str, arguments)])


def on_disk(options, folder, code, *arguments):
    """Run code, which prints JSON, in a process that sees `folder` as a disk of its own: `size=64k`, `ro`.

    The folder is its first argument. Skips where the system lets nobody but root mount anything.
    """
    try:
        subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("disks of our own cannot be mounted here")
    words = ["unshare", "-rm", "bash", "-c", _MOUNTED, options, folder, sys.executable, code, *map(str, arguments)]
    return _printed(list(map(str, words)))


def _printed(words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)
