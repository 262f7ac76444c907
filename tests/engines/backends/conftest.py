"""Engines of the toy bundle, and graphs that are not what their manifest says."""

import importlib.util

import pytest

from engines.backends import open_engine

NEEDS = {"openvino": (), "onnxruntime": ("onnxruntime",), "torch": ("torch", "onnx")}


def require(name):
    for library in NEEDS[name]:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")


@pytest.fixture(params=list(NEEDS))
def named(request):
    """The name of each embedded engine that is installed here."""
    require(request.param)
    return request.param


@pytest.fixture
def engine(toy_bundle, named):
    opened = open_engine(toy_bundle, named, threads=1, ladder=(1, 2, 4, 8))
    yield opened
    opened.close()
