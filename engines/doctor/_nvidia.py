"""NVIDIA's driver and GPUs, asked without loading any library of theirs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from engines.backends import no_gpu
from engines.doctor._types import Fact, read_text

LEAST_DRIVER = 525
"""The oldest driver branch that runs programs built for CUDA 12, by NVIDIA's table of CUDA compatibility."""
CUDA_13_DRIVER = 580
"""Likewise for CUDA 13, which TensorRT 11 and current PyTorch are built for."""

ROOTS = ("/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda")
_PATIENCE_S = 20.0
_FIELDS = "name,memory.total,memory.free,driver_version,compute_cap"


def nvidia() -> list[Fact]:
    """Return the driver and each GPU; one fact where there is none."""
    because = no_gpu()
    loaded = read_text("/proc/driver/nvidia/version")
    version = _version(loaded or "")
    if because is not None:
        return [Fact("NVIDIA driver", because, "note", "for a GPU engine: install NVIDIA's driver; CPUs need none")]
    facts = [_driver(version), _headers()]
    listing = _smi()
    if listing is None:
        return [*facts, Fact("GPUs", "nvidia-smi does not answer", "note", "check that the driver and its tools match")]
    return facts + [Fact(f"GPU {place}", line) for place, line in enumerate(listing)]


def _driver(version: str | None) -> Fact:
    if version is None:
        return Fact("NVIDIA driver", "there, of an unknown version", "note")
    if int(version.split(".")[0]) < LEAST_DRIVER:
        return Fact("NVIDIA driver", version, "bad", f"update it to {CUDA_13_DRIVER} or newer")
    if int(version.split(".")[0]) < CUDA_13_DRIVER:
        remedy = f"update it to {CUDA_13_DRIVER} or newer for TensorRT 11 and libraries for CUDA 13"
        return Fact("NVIDIA driver", version, "note", remedy)
    return Fact("NVIDIA driver", version)


def _headers() -> Fact:
    """Return whether pycuda, which comes as source, can be compiled here."""
    roots = [os.environ.get("CUDA_ROOT"), os.environ.get("CUDA_HOME"), *ROOTS]
    nvcc = shutil.which("nvcc")
    if nvcc is not None:
        roots.append(str(Path(nvcc).resolve().parents[1]))
    for root in filter(None, roots):
        if (Path(root) / "include/cuda.h").exists():
            return Fact("CUDA headers", root)
    remedy = "for TensorRT: install CUDA 13's and set CUDA_ROOT, as pycuda is compiled with them"
    return Fact("CUDA headers", "none found", "note", remedy)


def _version(text: str) -> str | None:
    found = re.search(r"\b(\d{3}\.\d+(?:\.\d+)?)\b", text)
    return found[1] if found else None


def _smi() -> list[str] | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, f"--query-gpu={_FIELDS}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return [_line(row.split(", ")) for row in done.stdout.strip().splitlines()]


def _line(fields: list[str]) -> str:
    if len(fields) != len(_FIELDS.split(",")):
        return ", ".join(fields)
    name, total, free, _, capability = fields
    return f"{name}, {total}, {free} free, compute capability {capability}"
