"""`cellgate bench limit`: what this machine does at best, and an engine's share of it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import msgspec
from rich.table import Table

from bench.limit._cuda import measure_gpu_peaks
from bench.limit._delays import measure_delays
from bench.limit._peaks import Peaks, measure_peaks
from bench.limit._share import share_of_peak
from bench.offline import run_offline
from bench.subject import Options, Say, Subject, subject_of
from bench.tables import PERCENTILES, make_table, percentile_cells


def measure(options: Options, say: Say, *, tiny: bool = False) -> dict[str, object]:
    """Return the processor's limits, those of a GPU where PyTorch finds one, and the engine's share (`results`).

    `delays` is what the machine adds to every latency, whatever runs on it.

    Parameters
    ----------
    tiny
        Small sizes: shows that it runs, measures nothing.
    """
    subject = subject_of(options)
    say("the processor's limits")
    peaks = measure_peaks(options.seconds, tiny=tiny)
    say("how late the machine is by itself")
    delays = measure_delays(options.seconds)
    gpu = None
    if _has_gpu():
        say("the GPU's limits")
        gpu = measure_gpu_peaks(options.seconds)
    say("the engine alone")
    result = _share(subject, peaks, min(options.seconds, 2.0))
    limits = {"cpu": peaks, "delays": delays, "gpu": gpu}
    return {"tiny": tiny, **{name: msgspec.to_builtins(each) for name, each in limits.items()}, "results": [result]}


def _share(subject: Subject, peaks: Peaks, seconds: float) -> dict[str, object]:
    engine = subject.open()
    try:
        rate, name = run_offline(engine, subject.frames, seconds).cells_per_s, engine.name
    finally:
        engine.close()
    how = subject.how
    share = share_of_peak(subject.bundle, name, how.precision, rate, threads=how.threads, peaks=peaks)
    return {**subject.about(), "engine": name, "engine_cells_per_s": round(rate, 1), **share}


def _has_gpu() -> bool:
    if find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def tables(figures: dict[str, Any]) -> list[Table]:
    """Return limits and shares."""
    cpu = figures["cpu"]
    rows: list[list[object]] = [
        [f"{name}, {who}", reach["ops_per_s"] / 1e9, "Gop/s", f"{reach['kernel']}: {reach['case']}"]
        for who, key in (("one thread", "one_thread"), ("all cores", "all_cores"))
        for name, reach in cpu[key].items()
    ]
    for who, key in (("one thread", "copy_one_thread_bytes_per_s"), ("all cores", "copy_all_cores_bytes_per_s")):
        rows.append([f"copy, {who}", cpu[key] / 1e9, "GB/s", "memory"])
    gpu = figures["gpu"]
    if gpu is not None:
        rows.append([f"bf16, {gpu['device']}", gpu["bf16_ops_per_s"] / 1e9, "Gop/s", gpu["case"]])
        ways = ("to", "from", "on")
        rows += [[f"copy {way} the GPU", gpu[f"copy_{way}_bytes_per_s"] / 1e9, "GB/s", "page-locked"] for way in ways]
    shares = [
        [
            f"{each['bundle']}, {each['engine']}",
            each["engine_cells_per_s"],
            each["multiply_adds_per_cell"] / 1e6,
            each["ops_per_s"] / 1e9,
            f"{each['share_of_peak']:.1%}",
        ]
        for each in figures["results"]
    ]
    heads = ("", "cells/s", "M multiply-adds per cell", "Gop/s", "of the peak")
    return [
        make_table("Limits", ("", "rate", "", "by"), rows),
        *_delay_tables(figures["delays"]),
        make_table("Share", heads, shares),
    ]


def _delay_tables(delays: dict[str, Any]) -> list[Table]:
    late = [
        ["a sleeper woken after the moment it asked for", *percentile_cells(delays["timer_us"])],
        ["from one process to another, asleep until then", *percentile_cells(delays["wake_us"])],
    ]
    if delays["wake_awake_us"] is not None:
        late.append(["the same, processors held awake", *percentile_cells(delays["wake_awake_us"])])
    stops = [
        ["of the time a processor is not there, though nobody else wants it", f"{delays['stopped_share']:.2%}"],
        ["longest, µs", delays["stopped_longest_us"]],
        ["longer than 20 µs, per second", delays["stops_per_s"]],
    ]
    return [
        make_table("How late the machine is by itself, µs", ("", *PERCENTILES.values()), late),
        make_table("Its processors", ("", ""), stops),
    ]
