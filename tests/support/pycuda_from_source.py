"""Compile pycuda's extension against CUDA's headers and an empty libcuda: it can be looked at, not run."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.support.empty_libraries import compile_empty

VERSION = "2026.1"
_SETTINGS = """
BOOST_INC_DIR = []
BOOST_LIB_DIR = []
BOOST_COMPILER = 'gcc43'
USE_SHIPPED_BOOST = True
BOOST_PYTHON_LIBNAME = []
BOOST_THREAD_LIBNAME = []
CUDA_TRACE = False
CUDA_ROOT = {cuda!r}
CUDA_ENABLE_GL = False
CUDA_ENABLE_CURAND = False
CUDADRV_LIB_DIR = [{stubs!r}]
CUDADRV_LIBNAME = ['cuda']
CUDART_LIB_DIR = []
CUDART_LIBNAME = []
CURAND_LIB_DIR = []
CURAND_LIBNAME = []
CXXFLAGS = ['-O0', '-w']
LDFLAGS = []
"""


def build(scratch, cuda):
    """Fetch the source with pip, compile it (a minute or two), and return the directory to import `pycuda` from."""
    pip = [sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--no-binary=:all:", "--no-build-isolation"]
    subprocess.run([*pip, "-d", str(scratch), f"pycuda=={VERSION}"], check=True, timeout=240)
    with tarfile.open(next(scratch.glob("pycuda-*.tar.gz"))) as archive:
        archive.extractall(scratch, filter="data")
    source, stubs, out = scratch / f"pycuda-{VERSION}", scratch / "stubs", scratch / "out"
    stubs.mkdir()
    compile_empty(stubs, "libcuda.so.1", [])
    (stubs / "libcuda.so").symlink_to("libcuda.so.1")
    (source / "siteconf.py").write_text(_SETTINGS.format(cuda=str(cuda), stubs=str(stubs)))
    done = subprocess.run(
        [sys.executable, "setup.py", "build", "--build-lib", str(out)],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=800,
        env={**os.environ, "CUDA_ROOT": str(cuda)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return out


def headers():
    """Return the root of an installed CUDA with headers, or None."""
    roots = (os.environ.get("CUDA_ROOT"), os.environ.get("CUDA_HOME"), "/usr/local/cuda")
    return next((Path(root) for root in roots if root and (Path(root) / "include/cuda.h").exists()), None)
