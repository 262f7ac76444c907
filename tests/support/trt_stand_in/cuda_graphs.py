"""Stand-in for the calls of libcuda that record a stream."""

from tests.support.trt_stand_in.machine import MACHINE

UNSUPPORTED = 900


class RecordingDriver:
    """Takes what ctypes would take; out-parameters come by reference."""

    def cuStreamBeginCapture_v2(self, stream, mode):
        if MACHINE.capture_refused:
            return UNSUPPORTED
        MACHINE.streams[stream].recording = []
        return 0

    def cuStreamEndCapture(self, stream, graph):
        queue = MACHINE.streams[stream]
        recorded, queue.recording = queue.recording, None
        graph._obj.value = self._keep(recorded)
        return 0

    def cuGraphInstantiateWithFlags(self, executable, graph, flags):
        executable._obj.value = self._keep(MACHINE.graphs[graph.value])
        return 0

    def cuGraphLaunch(self, executable, stream):
        MACHINE.launched += 1
        for operation in MACHINE.graphs[executable.value]:
            MACHINE.streams[stream].put(operation)
        return 0

    def cuGraphExecDestroy(self, executable):
        del MACHINE.graphs[executable.value]
        return 0

    def cuGraphDestroy(self, graph):
        del MACHINE.graphs[graph.value]
        return 0

    def cuGetErrorName(self, result, name):
        name._obj.value = b"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
        return 0

    def _keep(self, operations):
        handle = MACHINE.handle()
        MACHINE.graphs[handle] = operations
        return handle
