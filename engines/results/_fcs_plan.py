"""How the columns of a table become the channels of an FCS file, whose every value is a float32."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.results._table import Chunk, Column, Head, Results
from engines.results._values import distinct, printable

LIMB = 24
"""Bits of an integer that a float32 holds exactly."""
TIME = "Time"
_SECONDS = {"s": 1.0, "ns": 1e-9}


@dataclass(frozen=True)
class Channel:
    """One channel: `name` for $PnN, `label` for $PnS, `reach` for $PnR."""

    name: str
    label: str
    reach: int


@dataclass(frozen=True)
class Plan:
    """What goes where.

    Attributes
    ----------
    rows
        Of the table.
    channels
        In the order of the file: `Time` where there is one, then those of each column, then the embedding.
    limbs
        Channels of each column: more than one for integers beyond 2²⁴, none for text.
    time, time_step_s
        The column that `Time` counts, and the seconds of one count; None without.
    """

    rows: int
    channels: tuple[Channel, ...]
    limbs: tuple[int, ...]
    time: Column | None
    time_step_s: float


def plan_of(results: Results) -> Plan:
    """Look through the table once: its rows, and the range of each column."""
    head, rows = results.head, 0
    spans: dict[str, tuple[Any, Any]] = {}
    top = 0.0
    for chunk in results.chunks():
        rows += len(chunk)
        for column in head.columns:
            spans[column.name] = _wider(spans.get(column.name), chunk.columns[column.name], column)
        if head.embedding and chunk.embedding is not None and len(chunk):
            top = max(top, float(np.nanmax(np.nan_to_num(chunk.embedding, posinf=0.0))))
    time = next((column for column in head.columns if column.role == "time" and column.unit in _SECONDS), None)
    step = _time_step(time, spans) if time else 1.0
    channels = [Channel(TIME, "time of the event", 1 << LIMB)] if time else []
    limbs = []
    for column in head.columns:
        found = _channels(column, spans.get(column.name, (0, 0)))
        limbs.append(len(found))
        channels += found
    channels += [Channel(f"embedding_{i}", f"embedding {i}", math.ceil(top) or 1) for i in range(head.embedding)]
    names = distinct(_legal(channel.name) for channel in channels)
    named = tuple(Channel(name, channel.label, channel.reach) for name, channel in zip(names, channels, strict=True))
    return Plan(rows, named, tuple(limbs), time, step)


def matrix(plan: Plan, head: Head, chunk: Chunk) -> NDArray[np.float32]:
    """Return the rows of a chunk as the file holds them, `(n, channels)` float32."""
    parts: list[NDArray[Any]] = []
    if plan.time:
        seconds = chunk.columns[plan.time.name] * _SECONDS[plan.time.unit]
        parts.append(np.rint(seconds / plan.time_step_s))
    for column, limbs in zip(head.columns, plan.limbs, strict=True):
        if limbs == 1:
            parts.append(chunk.columns[column.name])
        else:
            parts += split(chunk.columns[column.name], limbs)
    if head.embedding and chunk.embedding is not None:
        parts += list(chunk.embedding.T)
    with np.errstate(over="ignore"):  # a float64 beyond float32's range is infinite
        return np.stack([part.astype("<f4") for part in parts], axis=1)


def split(values: NDArray[Any], limbs: int) -> list[NDArray[Any]]:
    """Return integers as limbs of 24 bits, lowest first; the last carries the sign."""
    mask, shift = values.dtype.type((1 << LIMB) - 1), values.dtype.type(LIMB)
    found = []
    for _ in range(limbs - 1):
        found.append(values & mask)
        values = values >> shift
    return [*found, values] if limbs else []


def join(limbs: Sequence[NDArray[np.float32]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the integers of these limbs; the reverse of `split`."""
    whole = limbs[-1].astype(dtype)
    for limb in reversed(limbs[:-1]):
        whole = (whole << dtype.type(LIMB)) | limb.astype(dtype)
    return whole


def _wider(span: tuple[Any, Any] | None, values: NDArray[Any], column: Column) -> tuple[Any, Any]:
    if column.dtype == "text" or not len(values):
        return span or (0, 0)
    if column.dtype in ("float32", "float64"):
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = values.min().item(), values.max().item()
    return (low, high) if span is None else (min(low, span[0]), max(high, span[1]))


def _channels(column: Column, span: tuple[Any, Any]) -> list[Channel]:
    if column.dtype == "text":
        return []
    label = f"{column.name} ({column.unit})" if column.unit else column.name
    if column.dtype not in ("int64", "uint64"):
        reach = max(1, math.ceil(span[1]) + (column.dtype == "code"))
        return [Channel(column.name, label, reach)]
    limbs, top = 1, 1 << LIMB
    while min(span) >> LIMB * (limbs - 1) < -top or max(span) >> LIMB * (limbs - 1) > top:
        limbs += 1
    if limbs == 1:
        return [Channel(column.name, label, max(1, span[1] + 1))]
    found = [Channel(column.name, f"{label}, modulo 2^{LIMB}", 1 << LIMB)]
    for limb in range(1, limbs):
        unit = f"2^{LIMB * limb}"
        reach = 1 << LIMB if limb + 1 < limbs else max(1, (span[1] >> LIMB * limb) + 1)
        found.append(Channel(f"{column.name}*{unit}", f"{label}, in {unit}", reach))
    return found


def _time_step(time: Column, spans: dict[str, tuple[Any, Any]]) -> float:
    """Return the smallest power of ten, from 1 ns, in which the longest time has at most 2²⁴ counts."""
    longest = max(abs(end) for end in spans.get(time.name, (0, 0))) * _SECONDS[time.unit]
    power = -9
    while longest / 10.0**power > 1 << LIMB:
        power += 1
    return float(f"1e{power}")


def _legal(name: str) -> str:
    """Return a name that $PnN may have: no comma, nothing that does not print, not empty."""
    return printable(name).replace(",", ".").strip() or "channel"
