"""The C++ example, compiled as its README says."""

import shutil
import subprocess
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "cpp"


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("the C++ example needs g++")
    headers = "#define MSGPACK_NO_BOOST\n#include <zmq.h>\n#include <msgpack.hpp>\n"
    probe = [compiler, "-std=c++17", "-fsyntax-only", "-x", "c++", "-"]
    if subprocess.run(probe, input=headers, text=True, capture_output=True, check=False).returncode:
        pytest.skip("the C++ example needs the headers of libzmq (zmq.h) and msgpack-cxx (msgpack.hpp)")
    out = tmp_path_factory.mktemp("cpp")
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"]
    for name in ("sender", "receiver"):
        command = [compiler, *flags, str(EXAMPLE / f"{name}.cpp"), "-o", str(out / name), "-lzmq"]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    return {name: out / name for name in ("sender", "receiver")}
