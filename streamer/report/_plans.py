"""What was asked of each way: its mode, window and target, as far as the configuration says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec


class WayPlan(msgspec.Struct, frozen=True):
    """Sort mode, whole window in µs, and target count of one way; None where there is none, or it is not known."""

    mode: str | None = None
    window_us: float | None = None
    target: int | None = None


def plans_of(tables: object) -> dict[str, WayPlan]:
    """Return the plan of each way from the configuration's `[[way]]` tables.

    Read forgivingly, for a journal's configuration may be of another version: `name`, `mode`, `leading_us` and
    `trailing_us` (or `window_us`), `target` or `count`. What is not of the right kind is left out.
    """
    plans: dict[str, WayPlan] = {}
    for table in tables if isinstance(tables, Sequence) and not isinstance(tables, str) else ():
        if isinstance(table, Mapping) and isinstance(table.get("name"), str):
            plans[table["name"]] = _plan(table)
    return plans


def _plan(table: Mapping[str, object]) -> WayPlan:
    mode = table.get("mode")
    parts = [_number(table.get(key)) for key in ("leading_us", "trailing_us")]
    window = _number(table.get("window_us"))
    if window is None and any(part is not None for part in parts):
        window = sum(part or 0.0 for part in parts)
    target = table.get("target", table.get("count"))
    whole = isinstance(target, int) and not isinstance(target, bool)
    return WayPlan(mode if isinstance(mode, str) else None, window, target if whole else None)  # type: ignore[arg-type]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
