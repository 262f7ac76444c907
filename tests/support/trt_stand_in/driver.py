"""Stand-in for `pycuda.driver`: only names the real one has, with its signatures; checked by the contract test."""

import enum

import numpy as np

from tests.support.trt_stand_in.machine import MACHINE, Fault, StreamQueue


class Error(Exception):
    pass


class MemoryError(Error):  # noqa: A001 - pycuda's name
    pass


class LogicError(Error):
    pass


class LaunchError(Error):
    pass


_ERRORS = {"MemoryError": MemoryError, "LogicError": LogicError, "LaunchError": LaunchError}


def _raising(function, *arguments):
    try:
        return function(*arguments)
    except Fault as fault:
        raise _ERRORS[fault.code](fault.text) from fault


class event_flags(enum.IntEnum):  # noqa: N801 - pycuda's name
    DEFAULT = 0
    BLOCKING_SYNC = 1
    DISABLE_TIMING = 2


def init(flags=0):
    MACHINE.initialised = True


def get_driver_version():
    return MACHINE.cuda_version


class Device:
    def __init__(self, number):
        if not MACHINE.initialised:
            raise LogicError("cuDeviceGet failed: initialization error")
        if not 0 <= number < len(MACHINE.gpus):
            raise LogicError("cuDeviceGet failed: invalid device ordinal")
        self._number = number

    @staticmethod
    def count():
        if not MACHINE.initialised:
            raise LogicError("cuDeviceGetCount failed: initialization error")
        return len(MACHINE.gpus)

    def name(self):
        return MACHINE.gpus[self._number][0]

    def compute_capability(self):
        return MACHINE.gpus[self._number][1]

    def total_memory(self):
        return MACHINE.gpus[self._number][2]

    def retain_primary_context(self):
        return Context._of(self._number)


class Context:
    @classmethod
    def _of(cls, number):
        made = cls.__new__(cls)
        made._number = number
        return made

    def push(self):
        MACHINE.stack.append(self._number)

    @staticmethod
    def pop():
        if not MACHINE.stack:
            raise LogicError("context::pop failed: invalid device context - cannot pop non-current context")
        MACHINE.stack.pop()


class Stream:
    def __init__(self, flags=0):
        ordinal = _raising(MACHINE.current)
        self.handle = MACHINE.handle()
        MACHINE.streams[self.handle] = StreamQueue(MACHINE, ordinal)

    def synchronize(self):
        _raising(MACHINE.current)
        _raising(MACHINE.streams[self.handle].mark).wait()
        _raising(MACHINE.current)


class Event:
    def __init__(self, flags=0):
        _raising(MACHINE.current)
        self._mark = None

    def record(self, stream=None):
        _raising(MACHINE.current)
        self._mark = _raising(MACHINE.streams[stream.handle].mark)
        return self

    def synchronize(self):
        _raising(MACHINE.current)
        if self._mark is not None:
            self._mark.wait()
        _raising(MACHINE.current)
        return self


class DeviceAllocation:
    @classmethod
    def _of(cls, address):
        made = cls.__new__(cls)
        made._address = address
        return made

    def __int__(self):
        return self._address

    def free(self):
        _raising(MACHINE.free, self._address)


def mem_alloc(bytes):  # noqa: A002 - pycuda's name
    return DeviceAllocation._of(_raising(MACHINE.allocate, int(bytes)))


def pagelocked_empty(shape, dtype, order="C", mem_flags=0):
    _raising(MACHINE.current)
    made = np.full(shape, 77, dtype, order)
    MACHINE.pinned[made.ctypes.data] = made
    return made


def memcpy_htod_async(dest, src, stream=None):
    _raising(MACHINE.current)
    source = _bytes_of(src, stream)
    queue = MACHINE.streams[stream.handle]
    queue.put(lambda: MACHINE.view(int(dest), source.nbytes).__setitem__(slice(None), source))


def memcpy_dtoh_async(dest, src, stream=None):
    _raising(MACHINE.current)
    target = _bytes_of(dest, stream)
    queue = MACHINE.streams[stream.handle]
    queue.put(lambda: target.__setitem__(slice(None), MACHINE.view(int(src), target.nbytes)))


def _bytes_of(array, stream):
    """Return the bytes themselves: page-locked memory is read and written when the stream comes to it."""
    if not array.flags.c_contiguous:
        raise ValueError("ndarray is not contiguous")
    start = array.ctypes.data
    locked = any(a <= start and start + array.nbytes <= a + m.nbytes for a, m in MACHINE.pinned.items())
    if not locked and MACHINE.streams[stream.handle].recording is not None:
        raise LogicError("operation would make the legacy stream depend on a capturing blocking stream")
    return array.reshape(-1).view(np.uint8)
