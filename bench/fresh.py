"""Networks with fresh weights at the input of their paper, exported once and kept: `--network NAME`."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from engines.bundle import Bundle, Precision, load_bundle, write_bundle
from engines.errors import BundleError, InputError, MissingExtraError

INPUTS: dict[str, tuple[int, int, int, int]] = {
    "compact": (2, 40, 40, 7),
    "compact-fine": (2, 40, 40, 7),
    "deepflow": (2, 64, 64, 7),
    "deepflow-released": (3, 64, 64, 7),
    "deeploc": (2, 60, 60, 19),
    "yao-convnet": (1, 224, 224, 2),
    "student": (1, 48, 48, 2),
    "student-wide": (2, 40, 40, 7),
    "student-micro": (2, 40, 40, 7),
    "student-deep": (2, 40, 40, 7),
}
"""Channels, height, width, classes: those of the source in docs/networks.md, for our own networks the Jurkat cells'."""

_SOURCES = (
    "networks/*.py",
    "training/fresh.py",
    "training/_export.py",
    "training/_measure.py",
    "training/_preprocess.py",
    "quantise/*.py",
)
CALIBRATION_CELLS = 128


def fresh_network(name: str, precision: Precision = "fp32", shape: tuple[int, int, int, int] | None = None) -> Bundle:
    """Return a bundle with this network, uint16 frames, exported now or found in the cache.

    Parameters
    ----------
    precision
        With `int8` the bundle has that graph as well.
    shape
        Channels, height, width and classes, where they are not the source's.

    Raises
    ------
    InputError
        No network has this name, or it does not work on frames of this size.
    MissingExtraError
        PyTorch, or for int8 ONNX Runtime, is not installed.
    """
    if name not in INPUTS:
        raise InputError("bench", "--network", name, " or ".join(INPUTS))
    chosen = INPUTS[name] if shape is None else shape
    place = _cache() / _key(name, precision, chosen)
    try:
        return load_bundle(place)
    except BundleError:
        pass  # not there yet, or damaged: made anew
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        made = Path(scratch) / name
        _export(made, name, precision, chosen)
        shutil.rmtree(place, ignore_errors=True)
        try:
            made.rename(place)
        except OSError:  # another bench has put it there meanwhile
            return load_bundle(place)
    return load_bundle(place)


def _export(path: Path, name: str, precision: Precision, shape: tuple[int, int, int, int]) -> None:
    channels, height, width, classes = shape
    try:
        fresh = import_module("engines.training.fresh")
    except ImportError:
        raise MissingExtraError("a bench of a network (--network)", "train") from None
    names = tuple(f"channel {number}" for number in range(channels))
    labels = tuple(f"class {number}" for number in range(classes))
    bundle: Bundle = fresh.fresh_bundle(path, name, names, labels, height, width)
    if precision == "int8":
        _add_int8(bundle)


def _add_int8(bundle: Bundle) -> None:
    """Put an int8 graph beside the other; that it answers alike is not asked of weights that mean nothing."""
    from bench.live import frames_for
    from engines.quantise import quantise

    graph = bundle.graph().read_bytes()
    made = quantise(graph, frames_for(bundle)[:CALIBRATION_CELLS])
    manifest = bundle.manifest
    opset = manifest.graphs[0].opset
    write_bundle(
        bundle.path,
        name=manifest.name,
        classes=manifest.classes,
        inputs=manifest.input,
        outputs=manifest.outputs,
        graphs={"fp32": (graph, opset), "int8": (made.model, opset)},
        training=manifest.training,
    )


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cellgate" / "bench"


def _key(name: str, precision: Precision, shape: tuple[int, int, int, int]) -> str:
    """Return a name that changes with whatever the graph is made from."""
    engines = Path(__file__).parents[1] / "engines"
    digest = hashlib.sha256(repr((name, precision, shape)).encode())
    for pattern in _SOURCES:
        for file in sorted(engines.glob(pattern)):
            digest.update(file.read_bytes())
    for package in ("torch", "onnx", "onnxruntime"):
        try:
            digest.update(f"{package} {version(package)}".encode())
        except ModuleNotFoundError:
            digest.update(f"no {package}".encode())
    return f"{name}-{precision}-{digest.hexdigest()[:16]}"
