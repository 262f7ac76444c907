"""Versions of the libraries Cellgate works with, read without loading them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from engines.doctor._types import Fact

NEEDED = ("cellgate", "msgspec", "numpy", "openvino", "pyzmq", "prometheus-client", "rich", "typer")
OPTIONAL = {"onnxruntime": "onnxruntime", "torch": "torch", "onnx": "torch", "tensorrt-cu13": "gpu", "pycuda": "gpu"}
"""Libraries of engines that are optional installs, and the extra each comes with."""


def libraries() -> list[Fact]:
    """Return each library with its version; those missing with what to install."""
    facts = []
    for name in NEEDED:
        found = _version(name)
        if found is None:
            facts.append(Fact(name, "not installed", "bad", "pip install cellgate"))
        else:
            facts.append(Fact(name, found))
    for name, extra in OPTIONAL.items():
        found = _version(name)
        if found is None:
            facts.append(Fact(name, "not installed", "note", f"pip install 'cellgate[{extra}]'"))
        else:
            facts.append(Fact(name, found))
    return facts


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
