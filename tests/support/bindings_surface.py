"""Print, as JSON, the names and signatures of TensorRT's bindings: `python bindings_surface.py DIRECTORY`.

Run in a process of its own, as it loads the bindings against empty stand-ins for the libraries.
"""

import json
import sys


def main(directory):
    sys.path.insert(0, directory)
    import tensorrt_bindings as trt

    surface = {}
    for name in dir(trt):
        value = getattr(trt, name)
        if isinstance(value, type):
            surface[name] = _members(value)
    json.dump({"version": trt.__version__, "classes": surface}, sys.stdout)


def _members(kind):
    members = {}
    for name in dir(kind):
        if name.startswith("_") and name != "__init__":
            continue
        value = getattr(kind, name)
        doc = (getattr(value, "__doc__", "") or "").replace("tensorrt_bindings.tensorrt.", "")
        lines = [line.split(". ", 1)[-1] if line[:1].isdigit() else line for line in doc.splitlines()]
        members[name] = [line for line in lines if line.startswith(f"{name}(self") and " -> " in line]
    return members


if __name__ == "__main__":
    main(sys.argv[1])
