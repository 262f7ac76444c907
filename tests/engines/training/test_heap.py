import platform
import subprocess
import sys

import pytest

pytest.importorskip("torch")

# A process of its own: what is asked of the C library holds for the rest of the process.
STEPS = """
import resource, torch
from engines.training._heap import keep_freed_memory
keep_freed_memory()
def step():
    maps = [torch.ones(1 << 20) for _ in range(8)]  # 32 MiB, 8,192 pages
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this is asked of glibc alone")
def test_a_step_uses_the_memory_of_the_one_before():
    found = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 8192
