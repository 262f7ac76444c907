"""Put the stand-in modules where imports look, for one test."""

import sys
from contextlib import contextmanager
from types import ModuleType

from engines.tensorrt import _engine
from tests.support.trt_stand_in import driver, tensorrt
from tests.support.trt_stand_in.cuda_graphs import RecordingDriver
from tests.support.trt_stand_in.machine import MACHINE


@contextmanager
def standing_in(monkeypatch, cache):
    """`tensorrt` and `pycuda.driver` are the stand-ins; gives the machine behind them, in a fresh state."""
    MACHINE.__init__()
    package = ModuleType("pycuda")
    package.driver = driver
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt)
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    monkeypatch.setattr(_engine, "load_driver", RecordingDriver)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    try:
        yield MACHINE
        assert not MACHINE.stack, "a context was left on the stack"
    finally:
        MACHINE.running.set()
        for stream in MACHINE.streams.values():
            stream.end()
