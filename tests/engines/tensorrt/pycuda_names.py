"""The part of `pycuda.driver` in use, read from the source of pycuda 2026.1 (`src/wrapper/wrap_cudadrv.cpp`).

Each function with the names of its arguments, then of those with a default. pycuda cannot be installed without
CUDA's headers, nor imported without a driver's libcuda, so the default tests compare with this list; where it can be
compiled (see test_contract.py) the list itself is compared with the real module.
"""

MODULE = {
    "init": ([], ["flags"]),
    "get_driver_version": ([], []),
    "mem_alloc": (["bytes"], []),
    "pagelocked_empty": (["shape", "dtype"], ["order", "mem_flags"]),
    "memcpy_htod_async": (["dest", "src"], ["stream"]),
    "memcpy_dtoh_async": (["dest", "src"], ["stream"]),
    "Device": (["number"], []),
    "Context": None,
    "Stream": ([], ["flags"]),
    "Event": ([], ["flags"]),
    "DeviceAllocation": None,
    "Error": None,
    "MemoryError": None,
    "LogicError": None,
    "LaunchError": None,
    "event_flags": None,
}

CLASSES = {
    "Device": {
        "count": ([], []),
        "name": ([], []),
        "compute_capability": ([], []),
        "total_memory": ([], []),
        "retain_primary_context": ([], []),
    },
    "Context": {"push": ([], []), "pop": ([], [])},
    "Stream": {"handle": None, "synchronize": ([], [])},
    "Event": {"record": ([], ["stream"]), "synchronize": ([], [])},
    "DeviceAllocation": {"free": ([], [])},
    "event_flags": {"DEFAULT": None, "BLOCKING_SYNC": None, "DISABLE_TIMING": None},
    "Error": {},
    "MemoryError": {},
    "LogicError": {},
    "LaunchError": {},
}
