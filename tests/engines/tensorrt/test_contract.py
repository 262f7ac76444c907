"""Everything the engine uses of TensorRT and pycuda exists there, with that signature; so does all the stand-in offers.

TensorRT: the real bindings, loaded against empty libraries. They are the package `tensorrt-cu13-bindings`; another
place is named by CELLGATE_TENSORRT_BINDINGS, and CELLGATE_CONTRACT=1 lets pip fetch them for this test.

pycuda: the source's names and arguments are in a list. CELLGATE_CONTRACT=1 has pycuda compiled against CUDA's headers
and an empty libcuda where both are there, and the list compared with that; CELLGATE_PYCUDA names one compiled before.
"""

import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from ctypes import POINTER
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

from engines.tensorrt._graphs import PROTOTYPES
from tests.support import bindings_surface, pycuda_from_source
from tests.support.empty_libraries import compile_empty, needed_libraries, undefined_symbols
from tests.support.trt_stand_in import driver, tensorrt

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("tensorrt_contract", HERE / "contract.py")
contract = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(contract)
_spec = importlib.util.spec_from_file_location("pycuda_names", HERE / "pycuda_names.py")
pycuda_names = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pycuda_names)


def _find_bindings(scratch):
    named = os.environ.get("CELLGATE_TENSORRT_BINDINGS")
    if named:
        return Path(named)
    found = importlib.util.find_spec("tensorrt_bindings")
    if found is not None:
        return Path(found.origin).parent.parent
    if os.environ.get("CELLGATE_CONTRACT") == "1":
        fetch = ["pip", "install", "-q", "--no-deps", "--target", str(scratch), "tensorrt-cu13-bindings"]
        subprocess.run([sys.executable, "-m", *fetch], check=True, timeout=240)
        return scratch
    return None


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    """The classes of the real bindings: {class: {member: signatures}}."""
    directory = _find_bindings(tmp_path_factory.mktemp("bindings"))
    if directory is None:
        pytest.skip("TensorRT's bindings are not installed (pip install --no-deps tensorrt-cu13-bindings)")
    if not (shutil.which("gcc") and shutil.which("readelf")):
        pytest.skip("gcc and readelf are needed to make empty libraries")
    libraries = tmp_path_factory.mktemp("libraries")
    module = next((directory / "tensorrt_bindings").glob("tensorrt*.so"))
    symbols = undefined_symbols(module)
    for soname in needed_libraries(module):
        if soname.startswith("libnv"):
            compile_empty(libraries, soname, symbols)
    done = subprocess.run(
        [sys.executable, bindings_surface.__file__, str(directory)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "LD_LIBRARY_PATH": str(libraries)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["classes"]


def test_of_every_expression_it_is_known_whose_it_is():
    found, unknown = contract.uses()
    assert unknown == []
    assert len(found) > 80


def test_every_use_of_tensorrt_is_in_the_real_bindings(real):
    missing = [use for use in contract.uses()[0] if use.library == "tensorrt" and not _fits(real, use)]
    assert missing == []


def test_a_use_that_is_not_there_is_found(real):
    for use in (
        contract.Use("tensorrt", "IExecutionContext", "execute_async_v4", "x", 1),
        contract.Use("tensorrt", "IExecutionContext", "execute_async_v3", "x", 0),
        contract.Use("tensorrt", "IExecutionContext", "execute_async_v3", "x", 0, ("stream",)),
        contract.Use("tensorrt", "BuilderFlag", "FP16", "x"),
    ):
        assert not _fits(real, use)


def test_methods_tensorrt_calls_have_its_names_and_arguments(real):
    ours = contract.subclasses()
    assert {(base, name) for base, name, _ in ours if name != "__init__"} == {
        ("ILogger", "log"),
        *(("IProgressMonitor", name) for name in ("phase_start", "step_complete", "phase_finish")),
    }
    for base, name, names in ours:
        assert [("self", *(n for n, _ in contract.arguments(line))) for line in real[base][name]] == [names]


def test_the_stand_in_for_tensorrt_offers_nothing_the_real_one_has_not(real):
    for name, kind in _public_classes(tensorrt):
        assert name in real, name
        for member, value in vars(kind).items():
            if member.startswith("_") and (member != "__init__" or "No constructor" in inspect.getsource(kind)):
                continue
            assert member in real[name], f"{name}.{member}"
            if inspect.isfunction(value) and kind is not tensorrt.ILogger:
                names = list(inspect.signature(value).parameters)[1:]
                offered = [[n for n, _ in contract.arguments(line)] for line in real[name][member]]
                assert any(names == each[: len(names)] for each in offered), f"{name}.{member}{names}: {offered}"


def test_every_use_of_pycuda_is_in_the_list():
    used = [use for use in contract.uses()[0] if use.library == "pycuda"]
    assert len(used) > 30
    assert [use for use in used if not _in_list(use)] == []


def test_the_stand_in_for_pycuda_offers_nothing_that_is_not_in_the_list():
    functions = {n for n, v in vars(driver).items() if inspect.isfunction(v) and v.__module__ == driver.__name__}
    assert {name for name in functions if not name.startswith("_")} <= set(pycuda_names.MODULE)
    for name in functions & set(pycuda_names.MODULE):
        required, optional = pycuda_names.MODULE[name]
        assert list(inspect.signature(getattr(driver, name)).parameters) == [*required, *optional], name
    for name, kind in _public_classes(driver):
        public = {member for member in vars(kind) if not member.startswith("_")}
        assert public <= set(pycuda_names.CLASSES[name]), name


@pytest.fixture(scope="session")
def real_pycuda(tmp_path_factory):
    """The arguments of pycuda's own functions by name, as its docstrings state them; None for what is no function."""
    named, scratch = os.environ.get("CELLGATE_PYCUDA"), tmp_path_factory.mktemp("pycuda")
    directory = None if named is None else Path(named)
    if directory is None and importlib.util.find_spec("pycuda") is None:
        cuda = pycuda_from_source.headers()
        if os.environ.get("CELLGATE_CONTRACT") != "1" or cuda is None or not shutil.which("g++"):
            pytest.skip("pycuda is not installed; with CELLGATE_CONTRACT=1, CUDA's headers and g++ it is compiled")
        directory = pycuda_from_source.build(scratch, cuda)
    names = [*pycuda_names.MODULE, *(f"{k}.{m}" for k, members in pycuda_names.CLASSES.items() for m in members)]
    script = (
        "import json, sys; import pycuda._driver as d\n"
        "def look(name):\n"
        "    found = d\n"
        "    for part in name.split('.'):\n"
        "        if not hasattr(found, part): return 'missing'\n"
        "        found = getattr(found, part)\n"
        "    function = found.__init__ if isinstance(found, type) else found\n"
        "    return (getattr(function, '__doc__', None) or '') if callable(function) else ''\n"
        "print(json.dumps({name: look(name) for name in json.loads(sys.argv[1])}))"
    )
    environment = dict(os.environ)
    if directory is not None:
        environment["PYTHONPATH"] = str(directory)
        module = next((directory / "pycuda").glob("_driver*.so"))
        symbols = [name for name in undefined_symbols(module) if re.match("cu[A-Z]|curand", name)]
        # Loaded first, as linkers leave out an empty library that nothing was found in.
        compile_empty(scratch, "libcuda.so.1", symbols)
        environment |= {"LD_PRELOAD": str(scratch / "libcuda.so.1"), "LD_LIBRARY_PATH": str(scratch)}
        for soname in needed_libraries(module):
            if soname.startswith("libcurand."):
                compile_empty(scratch, soname, symbols)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, json.dumps(names)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(1200)
def test_the_list_is_what_pycuda_has(real_pycuda):
    # Attributes that only objects have are not on the class.
    assert [name for name, found in real_pycuda.items() if found == "missing" and not name.endswith(".handle")] == []
    for kind, table in (("", pycuda_names.MODULE), *pycuda_names.CLASSES.items()):
        for name, shape in table.items():
            if shape is None:
                continue
            lines = real_pycuda[f"{kind}.{name}" if kind else name].splitlines()
            offered = [_boost_arguments(line) for line in lines if re.match(rf"(__init__|{name})\(", line)]
            required, optional = shape
            bound = name != "count" if kind else name in pycuda_names.CLASSES
            assert any(_same(given[bound:], required, optional) for given in offered), (kind, name, offered)


def _boost_arguments(line):
    """Return (name, whether it has a default) of each argument of a Boost.Python signature line."""
    inside = line[line.index("(") + 1 : line.rindex(") ->")]
    return [(found[1], "[" in inside[: found.start()]) for found in re.finditer(r"\(\w+\)(\w+)", inside)]


def _same(given, required, optional):
    """Return whether these are the arguments; a name that pycuda does not give (`arg1`) is any name."""
    wanted = [*((name, False) for name in required), *((name, True) for name in optional)]
    return len(given) == len(wanted) and all(
        has_default == may_be_left and (name == known or re.fullmatch(r"arg\d+", name))
        for (name, has_default), (known, may_be_left) in zip(given, wanted, strict=True)
    )


def test_calls_of_libcuda_are_those_of_its_header():
    header = Path(os.environ.get("CUDA_HOME", "/usr/local/cuda")) / "include/cuda.h"
    if not header.exists():
        pytest.skip(f"CUDA's headers are not installed ({header})")
    text = re.sub(r"\s+", " ", header.read_text(errors="replace"))
    for name, types in PROTOTYPES.items():
        # The header declares a plain name and says by a macro under which name the library has it.
        renamed = re.search(rf"#define (\w+) (?:__CUDA_API_PTSZ\()?{name}\b", text)
        plain = renamed[1] if renamed else name
        declared = re.search(rf"CUresult CUDAAPI {plain}\(([^)]*)\);", text)
        assert declared, name
        pointers = ["*" in argument for argument in declared[1].split(",")]
        assert pointers == [isinstance(kind, type(POINTER(POINTER(None)))) or kind is None for kind in types], name
    assert re.search(r"CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1\b", text)
    assert re.search(r"CU_STREAM_NON_BLOCKING = 0x1\b", text)


def _fits(real, use):
    if not use.kind:
        if use.member.startswith("__"):
            return use.member == "__version__"
        return use.member in real and (use.positional is None or _call_fits(real[use.member].get("__init__", []), use))
    if use.member not in real.get(use.kind, {}):
        return False
    lines = real[use.kind][use.member]
    if use.member == "__init__":
        return bool(lines)
    # A method that is not called, and a property that is, are both mistakes.
    return (use.positional is None) == (not lines) and (use.positional is None or _call_fits(lines, use))


def _call_fits(lines, use):
    return any(contract.accepts(contract.arguments(line), use) for line in lines)


def _in_list(use):
    known = pycuda_names.CLASSES.get(use.kind, {}) if use.kind else pycuda_names.MODULE
    if use.member not in known:
        return False
    shape = known[use.member]
    if use.positional is None or shape is None:
        return use.positional is None
    required, optional = shape
    return contract.accepts([*((n, False) for n in required), *((n, True) for n in optional)], use)


def _public_classes(module):
    return [
        (name, kind)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and kind.__module__ == module.__name__ and not name.startswith("_")
    ]
