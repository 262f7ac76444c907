"""Stand-in for `tensorrt`: only names the real one has, with its signatures; graphs are run by ONNX Runtime."""

import enum
import json

import numpy as np
import onnx
import onnxruntime

from tests.support.trt_stand_in.machine import MACHINE, Fault

__version__ = MACHINE.trt_version

_MAGIC = b"stand-in plan\n"


class DataType(enum.Enum):
    FLOAT, HALF, INT8, INT32, BOOL, UINT8, INT64 = range(7)


class TensorIOMode(enum.Enum):
    NONE, INPUT, OUTPUT = range(3)


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 0


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


class BuilderFlag(enum.Enum):
    REFIT, TF32 = range(2)


class ExecutionContextAllocationStrategy(enum.Enum):
    STATIC, ON_PROFILE_CHANGE, USER_MANAGED = range(3)


_TYPES = {
    onnx.TensorProto.FLOAT: DataType.FLOAT,
    onnx.TensorProto.UINT8: DataType.UINT8,
    onnx.TensorProto.INT8: DataType.INT8,
}
_NUMPY = {DataType.FLOAT: np.float32, DataType.UINT8: np.uint8, DataType.INT8: np.int8}


class ILogger:
    class Severity(enum.Enum):
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = Severity

    def log(self, severity, msg):
        raise NotImplementedError


class IProgressMonitor:
    pass


class IHostMemory:
    @classmethod
    def _of(cls, content):
        made = cls.__new__(cls)
        made._content = content
        return made

    def __bytes__(self):
        return self._content


class ParserError:
    def desc(self):
        return self._text


def _parser_error(text):
    made = ParserError()
    made._text = text
    return made


class ITensor:
    pass


class INetworkDefinition:
    @property
    def num_inputs(self):
        return len(self._model.graph.input)

    def get_input(self, index):
        value = self._model.graph.input[index]
        made = ITensor()
        made.name, made.shape = value.name, _shape(value)
        return made


class IOptimizationProfile:
    def set_shape(self, input, min, opt, max):  # noqa: A002 - TensorRT's names
        if not all(a <= b <= c for a, b, c in zip(min, opt, max, strict=True)):
            raise ValueError("min <= opt <= max")
        self._shapes = {input: (tuple(min), tuple(opt), tuple(max))}


class ITimingCache:
    def serialize(self):
        return IHostMemory._of(self._content + b"+")


class IBuilderConfig:
    progress_monitor = None

    def __init__(self):
        raise TypeError("No constructor defined!")

    def set_flag(self, flag):
        self._flags.add(flag)

    def clear_flag(self, flag):
        self._flags.discard(flag)

    def set_memory_pool_limit(self, pool, pool_size):
        self._workspace = pool_size

    def add_optimization_profile(self, profile):
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def create_timing_cache(self, serialized_timing_cache):
        made = ITimingCache()
        made._content = bytes(serialized_timing_cache)
        return made

    def set_timing_cache(self, cache, ignore_mismatch):
        self._timing = cache
        return True


class Builder:
    def __init__(self, logger):
        if not MACHINE.stack or MACHINE.start_refused:
            _complain(logger, "CUDA initialization failure with error: 201")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self._logger = logger

    def create_network(self, flags=0):
        made = INetworkDefinition()
        made._model = None
        return made

    def create_builder_config(self):
        made = IBuilderConfig.__new__(IBuilderConfig)
        made._flags, made._profiles, made._timing = {BuilderFlag.TF32}, [], None
        return made

    def create_optimization_profile(self):
        return IOptimizationProfile()

    def build_serialized_network(self, network, config):
        if MACHINE.build_refusal:
            _complain(self._logger, MACHINE.build_refusal)
            return None
        monitor = config.progress_monitor
        if monitor is not None:
            monitor.phase_start("Building", None, 2)
            assert monitor.step_complete("Building", 0)
            assert monitor.step_complete("Building", 1)
            monitor.phase_finish("Building")
        about = {
            "version": MACHINE.trt_version,
            "gpu": MACHINE.gpus[MACHINE.stack[-1]][0],
            "profiles": [profile._shapes for profile in config._profiles],
            "refit": BuilderFlag.REFIT in config._flags,
            "tf32": BuilderFlag.TF32 in config._flags,
        }
        header = json.dumps(about).encode() + b"\n"
        return IHostMemory._of(_MAGIC + header + network._model.SerializeToString())


class OnnxParser:
    def __init__(self, network, logger):
        self._network, self._logger, self._errors = network, logger, []

    @property
    def num_errors(self):
        return len(self._errors)

    def get_error(self, index):
        return _parser_error(self._errors[index])

    def parse(self, model, path=None):
        try:
            proto = onnx.load_from_string(bytes(model))
        except Exception:  # noqa: BLE001 - protobuf's own kinds
            self._errors.append("Failed to parse the ONNX model")
            return False
        for value in (*proto.graph.input, *proto.graph.output):
            if value.type.tensor_type.elem_type not in _TYPES:
                self._errors.append(f"In node 0 with name: {value.name}: UNSUPPORTED_DATATYPE")
        if self._errors:
            return False
        self._network._model = proto
        return True


class Runtime:
    def __init__(self, logger):
        if not MACHINE.stack or MACHINE.start_refused:
            _complain(logger, "CUDA initialization failure with error: 201")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine):
        content = bytes(serialized_engine)
        if not content.startswith(_MAGIC):
            _complain(self._logger, "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (magic tag)")
            return None
        header, _, model = content[len(_MAGIC) :].partition(b"\n")
        about = json.loads(header)
        if about["version"] != MACHINE.trt_version:
            _complain(self._logger, "Error Code 1: Serialization (Version tag does not match)")
            return None
        return _engine(self._logger, about, model)


def _complain(logger, text):
    logger.log(ILogger.ERROR, text)


def _engine(logger, about, model):
    engine = ICudaEngine()
    engine._logger, engine._about = logger, about
    engine._use(onnx.load_from_string(model))
    return engine


class ICudaEngine:
    def _use(self, proto):
        self._proto = proto
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        # A GPU's int8 sums are exact, those of a processor's kernels may be cut off.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self._session = onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {value.name: value for value in proto.graph.input}
        self._outputs = {value.name: value for value in proto.graph.output}

    def _value(self, name):
        return self._inputs.get(name) or self._outputs[name]

    @property
    def num_io_tensors(self):
        return len(self._inputs) + len(self._outputs)

    @property
    def num_optimization_profiles(self):
        return len(self._about["profiles"])

    @property
    def device_memory_size_v2(self):
        return MACHINE.scratch_bytes

    def get_tensor_name(self, index):
        return [*self._inputs, *self._outputs][index]

    def get_tensor_mode(self, name):
        return TensorIOMode.INPUT if name in self._inputs else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name):
        return _TYPES[self._value(name).type.tensor_type.elem_type]

    def get_tensor_shape(self, name):
        return _shape(self._value(name))

    def create_execution_context(self, strategy=ExecutionContextAllocationStrategy.STATIC):
        if MACHINE.contexts_refused:
            _complain(self._logger, "createExecutionContext: Error Code 2: OutOfMemory (requested 1 GiB)")
            return None
        assert strategy is ExecutionContextAllocationStrategy.USER_MANAGED
        context = IExecutionContext()
        context._engine, context._logger = self, self._logger
        context._profile = context._shape = context._memory = None
        context._addresses, context._busy = {}, False
        return context


class IExecutionContext:
    def set_device_memory(self, memory, size):
        if memory % 256 or size < self._engine.device_memory_size_v2:
            _complain(self._logger, "setDeviceMemory: misaligned or too small")
        else:
            self._memory = memory

    def set_optimization_profile_async(self, profile_index, stream_handle):
        if not 0 <= profile_index < self._engine.num_optimization_profiles:
            _complain(self._logger, f"setOptimizationProfileAsync: no profile {profile_index}")
            return False
        self._profile, self._shape = profile_index, None
        return True

    def set_input_shape(self, name, shape):
        low, _, high = self._engine._about["profiles"][self._profile][name]
        if not all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True)):
            _complain(self._logger, f"setInputShape: {shape} is not in the profile's range {low} to {high}")
            return False
        self._shape = tuple(shape)
        return True

    def set_tensor_address(self, name, memory):
        if name not in self._engine._inputs and name not in self._engine._outputs:
            _complain(self._logger, f"setTensorAddress: no tensor {name}")
            return False
        self._addresses[name] = memory
        return True

    def infer_shapes(self):
        return [] if self._shape is not None else list(self._engine._inputs)

    def execute_async_v3(self, stream_handle):
        names = {*self._engine._inputs, *self._engine._outputs}
        missing = sorted(names - set(self._addresses))
        refusal = MACHINE.refuse_execution
        if missing:
            refusal = f"Address is not set for tensor {missing[0]}. Call setTensorAddress before enqueue."
        if self._shape is None or self._memory is None:
            refusal = "not all shapes are specified, or no device memory"
        if refusal:
            _complain(self._logger, f"IExecutionContext::enqueueV3: Error Code 3: API Usage Error ({refusal})")
            return False
        MACHINE.streams[stream_handle].put(self._run)
        return True

    def _run(self):
        """Run on the stream's thread, as a kernel would on the GPU."""
        with MACHINE.lock:
            if self._memory in MACHINE.scratch_in_use or self._busy:
                raise Fault("LaunchError", "two executions share scratch memory or a context")
            MACHINE.scratch_in_use.add(self._memory)
            self._busy = True
        try:
            MACHINE.running.wait()
            if MACHINE.fault_in_kernel:
                raise Fault("LaunchError", MACHINE.fault_in_kernel)
            ((name, value),) = self._engine._inputs.items()
            dtype = _NUMPY[_TYPES[value.type.tensor_type.elem_type]]
            size = int(np.prod(self._shape)) * np.dtype(dtype).itemsize
            content = MACHINE.view(self._addresses[name], size).view(dtype).reshape(self._shape)
            outputs = list(self._engine._outputs)
            for output, answer in zip(outputs, self._engine._session.run(outputs, {name: content}), strict=True):
                answer = np.ascontiguousarray(answer)
                MACHINE.view(self._addresses[output], answer.nbytes)[:] = answer.reshape(-1).view(np.uint8)
            MACHINE.executed.append(self._shape[0])
        finally:
            with MACHINE.lock:
                MACHINE.scratch_in_use.discard(self._memory)
                self._busy = False


class Refitter:
    def __init__(self, engine, logger):
        if not engine._about["refit"]:
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self._target, self._proto = engine, None

    def get_missing_weights(self):
        return [] if self._proto is not None else ["all"]

    def refit_cuda_engine(self):
        self._target._use(self._proto)
        return True


class OnnxParserRefitter:
    def __init__(self, refitter, logger):
        self._refitter, self._errors = refitter, []

    @property
    def num_errors(self):
        return len(self._errors)

    def get_error(self, index):
        return _parser_error(self._errors[index])

    def refit_from_bytes(self, model, path=None):
        proto = onnx.load_from_string(bytes(model))
        if _skeleton(proto) != _skeleton(self._refitter._target._proto):
            self._errors.append("the graph's structure has changed")
            return False
        self._refitter._proto = proto
        return True


def _skeleton(proto):
    shapes = {tensor.name: tuple(tensor.dims) for tensor in proto.graph.initializer}
    return [(node.op_type, tuple(node.input)) for node in proto.graph.node], shapes


def _shape(value):
    return tuple(dim.dim_value or -1 for dim in value.type.tensor_type.shape.dim)
