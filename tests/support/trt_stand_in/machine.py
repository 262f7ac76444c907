"""The machine behind the stand-in modules: GPUs with a bounded memory, streams that run in order, faults on demand."""

import threading
from collections import defaultdict
from queue import SimpleQueue

import numpy as np


class Fault(Exception):  # noqa: N818 - what CUDA calls it
    """A CUDA error code; the driver module turns it into its own exceptions."""

    def __init__(self, code, text):
        self.code, self.text = code, text
        super().__init__(text)


class Machine:
    """State that outlives a module: what tests set and look at."""

    def __init__(self):
        self.gpus = [("Stand-in GPU", (9, 0), 1 << 30)]
        self.cuda_version = 13000
        self.trt_version = "11.4.0.106"
        self.initialised = False
        self.used = defaultdict(int)
        self.memory = {}
        self.pinned = {}
        self.streams = {}
        self.graphs = {}
        self.sticky = {}
        self.next_handle = 1000
        self.next_address = 1 << 20
        self.stacks = threading.local()
        self.scratch_in_use = set()
        self.lock = threading.Lock()
        self.executed = []
        self.launched = 0
        self.build_refusal = None
        self.refuse_execution = None
        self.fault_in_kernel = None
        self.contexts_refused = False
        self.start_refused = False
        self.capture_refused = False
        self.scratch_bytes = 4096
        self.running = threading.Event()
        self.running.set()
        """Kernels wait for this: cleared, the GPU holds."""

    def handle(self):
        self.next_handle += 8
        return self.next_handle

    @property
    def stack(self):
        if not hasattr(self.stacks, "value"):
            self.stacks.value = []
        return self.stacks.value

    def current(self):
        if not self.stack:
            raise Fault("LogicError", "invalid device context")
        ordinal = self.stack[-1]
        if ordinal in self.sticky:
            raise Fault("LaunchError", self.sticky[ordinal])
        return ordinal

    def allocate(self, size):
        ordinal = self.current()
        if size <= 0:
            raise Fault("LogicError", "cuMemAlloc failed: invalid argument")
        if self.used[ordinal] + size > self.gpus[ordinal][2]:
            raise Fault("MemoryError", "cuMemAlloc failed: out of memory")
        self.used[ordinal] += size
        address = self.next_address
        self.next_address += (size + 511) // 256 * 256
        self.memory[address] = (ordinal, np.full(size, 0xA5, np.uint8))
        return address

    def free(self, address):
        self.current()
        ordinal, content = self.memory.pop(address)
        self.used[ordinal] -= len(content)

    def view(self, address, size):
        """Return so many bytes of device memory; only what one allocation holds."""
        for start, (_, content) in self.memory.items():
            if start <= address and address + size <= start + len(content):
                return content[address - start : address - start + size]
        raise Fault("LaunchError", f"an illegal memory access was encountered ({address:#x}, {size} bytes)")


class StreamQueue:
    """A stream: one thread that does what is put on it, in order; or what is recorded."""

    def __init__(self, machine, ordinal):
        self.machine, self.ordinal = machine, ordinal
        self.recording = None
        self.work = SimpleQueue()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def end(self):
        """Do what is left and stop, so that nothing of one test runs on in the next."""
        self.work.put(None)
        self.thread.join(30.0)

    def put(self, operation):
        if self.recording is not None:
            self.recording.append(operation)
        else:
            self.work.put(operation)

    def mark(self):
        if self.recording is not None:
            raise Fault("LogicError", "operation not permitted when stream is capturing")
        done = threading.Event()
        self.work.put(done.set)
        return done

    def _run(self):
        while (operation := self.work.get()) is not None:
            marks = getattr(operation, "__self__", None)
            if self.ordinal in self.machine.sticky and not isinstance(marks, threading.Event):
                continue
            try:
                operation()
            except Fault as fault:
                self.machine.sticky[self.ordinal] = fault.text
            except Exception as error:  # noqa: BLE001 - a defect of the stand-in or of what is tested: as loud as a GPU's
                self.machine.sticky[self.ordinal] = repr(error)


MACHINE = Machine()
