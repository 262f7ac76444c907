"""The machine without its GPUs: system, processor, memory, clock and limits."""

from __future__ import annotations

import os
import platform
import resource
import sys
from pathlib import Path

from engines.doctor._types import Fact, read_text

INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
    "amx_int8": "AMX INT8",
    "asimd": "NEON",
    "sve": "SVE",
    "bf16": "BF16",
    "i8mm": "I8MM",
}
"""Flags of `/proc/cpuinfo` that decide how quick a network is, and their names."""

_LEAST_PYTHON = (3, 11)
_ENOUGH_FILES = 1024
_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")


def machine() -> list[Fact]:
    """Return what the machine is, in the order in which to show it."""
    info = _cpuinfo()
    return [
        _python(),
        Fact("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        Fact("processor", info.get("model name") or platform.processor() or "unknown"),
        _cores(),
        _instructions(info),
        _memory(),
        _governor(),
        _clock(),
        _files(),
    ]


def _python() -> Fact:
    found = platform.python_version()
    if sys.version_info[:2] < _LEAST_PYTHON:
        return Fact("Python", found, "bad", "install Python 3.11 or newer")
    return Fact("Python", found)


def _cores() -> Fact:
    usable, all_ = len(os.sched_getaffinity(0)), os.cpu_count() or 1
    load = os.getloadavg()[0]
    text = f"{usable} of {all_} usable, load {load:.1f}"
    if usable < 2:
        return Fact("cores", text, "note", "the streamer wants a core beside those of the engine: use two or more")
    if load > usable:
        return Fact("cores", text, "note", "the machine is busy: times below are longer than they need be")
    return Fact("cores", text)


def _instructions(info: dict[str, str]) -> Fact:
    flags = set((info.get("flags") or info.get("Features") or "").split())
    found = [name for flag, name in INSTRUCTIONS.items() if flag in flags]
    if platform.machine() == "x86_64" and "avx2" not in flags:
        return Fact(
            "instructions", ", ".join(found) or "none", "note", "without AVX2 every engine is several times slower"
        )
    return Fact("instructions", ", ".join(found) or "none known")


def _memory() -> Fact:
    sizes = {}
    for line in (read_text("/proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        if rest.split()[:1] and rest.split()[0].isdigit():
            sizes[name] = int(rest.split()[0]) / 2**20
    if "MemTotal" not in sizes:
        return Fact("memory", "unknown", "note")
    return Fact("memory", f"{sizes['MemTotal']:.1f} GiB, {sizes.get('MemAvailable', 0.0):.1f} GiB available")


def _governor() -> Fact:
    files = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    found = sorted({text for file in files if (text := read_text(file))})
    if not found:
        return Fact("governor", "none to be seen (a virtual machine, or a fixed frequency)")
    if found == ["performance"]:
        return Fact("governor", "performance")
    return Fact("governor", ", ".join(found), "note", "steady times: cpupower frequency-set -g performance")


def _clock() -> Fact:
    found = read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    if found is None:
        return Fact("clock source", "unknown", "note")
    if found in _CLOCKS:
        return Fact("clock source", found)
    return Fact(
        "clock source", found, "note", "reading it takes a microsecond or more: prefer tsc if the machine has it"
    )


def _files() -> Fact:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = "unlimited" if soft == resource.RLIM_INFINITY else str(soft)
    if soft != resource.RLIM_INFINITY and soft < _ENOUGH_FILES:
        return Fact("open files", text, "note", f"ulimit -n {_ENOUGH_FILES}: sockets and journals need descriptors")
    return Fact("open files", text)


def _cpuinfo() -> dict[str, str]:
    """Return the first processor's entry; empty where there is none."""
    text = read_text("/proc/cpuinfo") or ""
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
