"""What was asked of each way: its mode, window and target, as the configuration says."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from streamer.config import WaySection


class WayPlan(msgspec.Struct, frozen=True):
    """Sort mode, whole window in µs, and target count of one way; None where there is none, or it is not known."""

    mode: str | None = None
    window_us: float | None = None
    target: int | None = None


NO_PLAN = WayPlan("yield")
"""Of a way that the configuration does not mention."""


def plans_of(ways: Mapping[str, WaySection], drop_frequency_hz: float | None = None) -> dict[str, WayPlan]:
    """Return the plan of each way of the configuration.

    A window is its leading and trailing parts together; one in drops lasts drops / frequency. A plate is a target: all
    its wells.
    """
    return {name: WayPlan(way.mode, _window_us(way, drop_frequency_hz), _target(way)) for name, way in ways.items()}


def read_plans(config: Mapping[str, object]) -> dict[str, WayPlan] | None:
    """Return the plans in a journal's configuration tree; None where this version cannot read them."""
    actuator = config.get("actuator")
    frequency = actuator.get("drop_frequency_hz") if isinstance(actuator, Mapping) else None
    try:
        ways = msgspec.convert(config.get("way") or {}, dict[str, WaySection])
    except msgspec.ValidationError:
        return None
    return plans_of(ways, frequency if isinstance(frequency, int | float) and frequency > 0 else None)


def _window_us(way: WaySection, drop_frequency_hz: float | None) -> float | None:
    drops = (way.leading_drops or 0.0) + (way.trailing_drops or 0.0)
    if way.leading_drops is not None or way.trailing_drops is not None:
        return None if drop_frequency_hz is None else drops / drop_frequency_hz * 1e6
    if way.leading_us is None and way.trailing_us is None:
        return None
    return (way.leading_us or 0.0) + (way.trailing_us or 0.0)


def _target(way: WaySection) -> int | None:
    if way.target is not None or way.plate is None:
        return way.target
    return way.plate * way.cells_per_well
