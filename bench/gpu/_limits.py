"""Item: the GPU's limits."""

from __future__ import annotations

from bench.gpu._rows import Setting
from bench.limit import measure_gpu_peaks


def limits(setting: Setting) -> None:
    """Measure the bfloat16 matrix rate and the copies."""
    peaks = measure_gpu_peaks(0.01 if setting.dry else 6.0, device=setting.device, tiny=setting.dry)
    setting.add("bf16 matrix product", peaks.case, peaks.bf16_ops_per_s / 1e12, "TFLOP/s")
    setting.add("copy", "to the GPU, page-locked", peaks.copy_to_bytes_per_s / 1e9, "GB/s")
    setting.add("copy", "from the GPU, page-locked", peaks.copy_from_bytes_per_s / 1e9, "GB/s")
    setting.add("copy", "on the GPU", peaks.copy_on_bytes_per_s / 1e9, "GB/s")
