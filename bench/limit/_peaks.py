"""All of a machine's limits in one go."""

from __future__ import annotations

import os

import msgspec

from bench.limit._copies import copy_rate
from bench.limit._matrix import ARITHMETICS, Arithmetic, matrix_rate


class Reach(msgspec.Struct, frozen=True):
    """The rate of products of one arithmetic: operations per second, a multiply-add being two."""

    ops_per_s: float
    case: str
    kernel: str
    threads: int


class Peaks(msgspec.Struct, frozen=True):
    """What the processor does at best.

    Attributes
    ----------
    one_thread, all_cores
        By arithmetic: `fp32`, `bf16`, `int8`.
    copy_one_thread_bytes_per_s, copy_all_cores_bytes_per_s
        Memory copied; what is read and written counts once.
    cores
        How many "all" are.
    """

    one_thread: dict[Arithmetic, Reach]
    all_cores: dict[Arithmetic, Reach]
    copy_one_thread_bytes_per_s: float
    copy_all_cores_bytes_per_s: float
    cores: int

    def reach(self, arithmetic: Arithmetic, threads: int) -> Reach:
        """Return the peak that holds for so many threads: between one and all, in proportion."""
        whole = self.all_cores[arithmetic]
        if threads >= self.cores:
            return whole
        single = self.one_thread[arithmetic]
        ops = single.ops_per_s * threads
        return single if threads == 1 else msgspec.structs.replace(single, ops_per_s=ops, threads=threads)


def measure_peaks(seconds: float = 6.0, *, tiny: bool = False) -> Peaks:
    """Measure matrix rates and copies, by one thread and by all.

    Parameters
    ----------
    seconds
        For all of it, but for compiling and warming up, which take a few more.
    tiny
        Small sizes: shows that it runs, measures nothing.
    """
    cores = len(os.sched_getaffinity(0))
    share = seconds / 8
    size = 1 << 20 if tiny else 256 << 20

    def reaches(threads: int) -> dict[Arithmetic, Reach]:
        return {name: Reach(*matrix_rate(name, threads, share, tiny=tiny), threads) for name in ARITHMETICS}

    one = reaches(1)
    return Peaks(
        one_thread=one,
        all_cores=one if cores == 1 else reaches(cores),
        copy_one_thread_bytes_per_s=copy_rate(1, share, size=size),
        copy_all_cores_bytes_per_s=copy_rate(cores, share, size=size),
        cores=cores,
    )
