"""The honest limit: what this machine can do at best, how late it is by itself, and each figure's share of that."""

from bench.limit._bench import measure, tables
from bench.limit._copies import copy_rate
from bench.limit._cuda import GpuPeaks, measure_gpu_peaks
from bench.limit._delays import Delays, measure_delays
from bench.limit._matrix import ARITHMETICS, Arithmetic, MatrixRate, matrix_rate
from bench.limit._peaks import Peaks, Reach, measure_peaks
from bench.limit._share import share_of_peak
from bench.limit._work import multiply_adds

__all__ = [
    "ARITHMETICS",
    "Arithmetic",
    "Delays",
    "GpuPeaks",
    "MatrixRate",
    "Peaks",
    "Reach",
    "copy_rate",
    "matrix_rate",
    "measure",
    "measure_delays",
    "measure_gpu_peaks",
    "measure_peaks",
    "multiply_adds",
    "share_of_peak",
    "tables",
]
