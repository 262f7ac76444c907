"""Keep the memory of one training step for the next, where the C library gives it back to the system each time.

A step allocates and frees hundreds of megabytes of maps. glibc returns them at once, and the next step pays for
thousands of fresh pages, which the system fills with zeros: a third of the time of a network of small layers.
"""

from __future__ import annotations

import ctypes

# From malloc.h: free memory at the top that is kept, and the size from which an allocation is mapped on its own.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_TRIM, _MMAP = 1 << 30, 1 << 25


def keep_freed_memory() -> None:
    """Ask glibc to keep up to 1 GiB of freed memory for the rest of the process; elsewhere nothing happens."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library; on Windows there is no CDLL of None
        return
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    mallopt(_MMAP_THRESHOLD, _MMAP)
    mallopt(_TRIM_THRESHOLD, _TRIM)
