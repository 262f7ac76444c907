"""What the engine uses of TensorRT and pycuda: read from its source, so that nothing can be forgotten."""

import ast
from pathlib import Path
from typing import NamedTuple

import engines.tensorrt

ROOM = Path(engines.tensorrt.__file__).parent

TENSORRT = {
    "_build.py": {
        "builder": "Builder",
        "network": "INetworkDefinition",
        "config": "IBuilderConfig",
        "parser": "OnnxParser",
        "parser.get_error(i)": "ParserError",
        "profile": "IOptimizationProfile",
        "tensor": "ITensor",
        "cache": "ITimingCache",
    },
    "_lane.py": {"engine": "ICudaEngine", "context": "IExecutionContext"},
    "_load.py": {"runtime": "Runtime", "engine": "ICudaEngine"},
    "_refit.py": {"refitter": "Refitter", "parser": "OnnxParserRefitter", "parser.get_error(i)": "ParserError"},
}
"""By file, what an expression is, where it is one of TensorRT's objects."""

PYCUDA = {
    "_device.py": {"device": "Device", "self._primary": "Context"},
    "_lane.py": {"self.stream": "Stream", "self.event": "Event", "allocation": "DeviceAllocation"},
    "_waiter.py": {"flight.lane.event": "Event"},
}

MODULES = {"trt": "tensorrt", "cuda": "pycuda", "self._cuda": "pycuda", "self._gpu.cuda": "pycuda"}

OURS = {
    "_build.py": {"bundle", "bundle.manifest", "gpu", "facts", "hashlib", "hashlib.sha256(model)", "key", "msgspec"}
    | {"msgspec.json", "time", "timing", "complaints", "self", "path", "hashlib.sha256(msgspec.json.encode(key))"},
    "_device.py": {"self", "str(error)", "str(error).lower()"},
    "_engine.py": {"self", "bundle", "plan", "np", "time", "lane", "flight", "flight.lane", "predictions", "frames"}
    | {"self._bundle", "self._plan", "self._plan.key", "self._gpu", "self._flights", "self._free", "self._lanes"}
    | {"self._waiter", "self._free[0]", "key", "key.gpu", "output", "lane.frames", "frames.ctypes", "frames.flags"}
    | {"output[:flight.n]", "memory", "memory.ctypes", "frames.shape", "times", "', '", "self._gpu.facts"},
    "_lane.py": {
        "self",
        "np",
        "gpu",
        "signature",
        "graph",
        "capture",
        "contextlib",
        "self._complaints",
        "self._allocated",
    }
    | {"self._graphs", "self._contexts", "self.frames", "output", "self._graphs.values()", "', '"},
    "_load.py": {
        "plan",
        "gpu",
        "complaints",
        "bundle",
        "bundle.dtype",
        "bundle.manifest",
        "spec",
        "spec.outputs",
        "key",
    }
    | {"here", "', '"},
    "_log.py": {"self", "self.errors", "complaints", "complaints.errors", "complaints.warnings", "'; '", "' '"}
    | {"reason", "text", "dict"},
    "_progress.py": {"totals"},
    "_refit.py": {"complaints", "old", "new", "old.manifest", "new.manifest", "', '"},
    "_waiter.py": {
        "self",
        "time",
        "flight",
        "self._wakeup",
        "self._landed",
        "self._flights",
        "self._thread",
        "self._gpu",
    }
    | {"following", "flight.lane"},
}
"""Everything else that has attributes in these files: not theirs."""


class Use(NamedTuple):
    """A member of a class (or of the module, where the class is empty) and how it is called."""

    library: str
    kind: str
    member: str
    place: str
    positional: int | None = None
    keywords: tuple[str, ...] = ()


def uses():
    """Return what the room uses, and the expressions of which nobody has said whose they are."""
    found, unknown = [], []
    for path in sorted(ROOM.glob("*.py")):
        tree = ast.parse(path.read_text())
        if not any(ast.unparse(node) in MODULES for node in ast.walk(tree)):
            continue
        calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                use = _use(path.name, node, calls.get(id(node)))
                if use is None:
                    unknown.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
                elif use.library:
                    found.append(use)
    return found, unknown


def _use(file, node, call):
    base, place = ast.unparse(node.value), f"{file}:{node.lineno}"
    shape = {} if call is None else {"positional": len(call.args), "keywords": tuple(k.arg for k in call.keywords)}
    if ast.unparse(node) in MODULES:
        return Use("", "", "", place)
    if base in MODULES:
        return Use(MODULES[base], "", node.attr, place, **shape)
    for root, library in MODULES.items():
        if base.startswith(f"{root}."):
            return Use(library, base[len(root) + 1 :], node.attr, place, **shape)
    for library, table in (("tensorrt", TENSORRT), ("pycuda", PYCUDA)):
        if base in table.get(file, {}):
            return Use(library, table[file][base], node.attr, place, **shape)
    return Use("", "", "", place) if base in OURS.get(file, set()) else None


def subclasses():
    """Return the methods of our classes that TensorRT calls: (base, method, names of the arguments)."""
    found = []
    for path in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for base in node.bases if isinstance(node, ast.ClassDef) else ():
                if ast.unparse(base).startswith("trt."):
                    methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
                    found += [(base.attr, m.name, tuple(a.arg for a in m.args.args)) for m in methods]
    return found


def arguments(signature):
    """Return (name, whether it has a default) of each argument of a pybind11 signature line, without self."""
    inside = signature[signature.index("(") + 1 : signature.rindex(") ->")]
    parts, depth, start = [], 0, 0
    for i, sign in enumerate(inside):
        depth += (sign in "[<(") - (sign in "])" or (sign == ">" and inside[i - 1] != "-"))
        if sign == "," and not depth:
            parts.append(inside[start:i])
            start = i + 1
    parts.append(inside[start:])
    return [(part.split(":")[0].strip(), " = " in part) for part in parts][1:]


def accepts(signature_arguments, use):
    """Return whether a call of this shape fits these arguments."""
    names = [name for name, _ in signature_arguments]
    given = names[: use.positional]
    required = {name for name, optional in signature_arguments if not optional}
    return (
        use.positional <= len(names)
        and set(use.keywords) <= set(names[use.positional :])
        and required <= {*given, *use.keywords}
    )
