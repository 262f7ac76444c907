"""From the configuration's `way` and `actuator` sections to window rules, timing and targets by way code."""

from __future__ import annotations

from engines.errors import InputError
from streamer.config import Config, WaySection
from streamer.decision import MAX_WAYS
from streamer.decision.windows import (
    AbortCodes,
    AtTarget,
    Mode,
    Plate,
    SortRule,
    Target,
    Targets,
    Timing,
    in_drops,
    in_time,
)
from streamer.vocabulary import Reason

AHEAD_NS = 300_000
"""A forced decision is made this long before its last moment: the loop may be busy when it comes."""


def needs_sorting(config: Config) -> bool:
    """Tell whether any way, or the actuator, asks for more than that wanted cells are kept."""
    return bool(config.way) or config.actuator.dead_time_us > 0


def check_ways(config: Config, ways: tuple[str, ...]) -> None:
    """Refuse a `way` section for a way that no gate leads to; `InputError` names it."""
    for name in config.way:
        if name not in ways[1:]:
            raise InputError("config", f"way.{name}", "a way that no gate leads to", f"one of {', '.join(ways[1:])}")
    rules_of(config, ways)
    targets_of(config, ways)


def rules_of(config: Config, ways: tuple[str, ...]) -> list[SortRule]:
    """Return the rule of every way code from 1; ways without a section are sorted in yield mode."""
    rules = [_rule(config, name, config.way[name]) if name in config.way else _ANY for name in ways[1:]]
    # A change of gates may bring ways in mid-series; they have no section, so they are in yield mode too.
    return rules + [_ANY] * (MAX_WAYS - 1 - len(rules))


def timing_of(config: Config) -> Timing:
    """Return what the transport promises and how early decisions are made."""
    actuator = config.actuator
    return Timing(
        reorder_ns=int(actuator.reorder_us * 1000),
        transport_ns=int(actuator.transport_us * 1000),
        margin_ns=int(config.timing.publish_margin_us * 1000),
        ahead_ns=AHEAD_NS,
    )


def targets_of(config: Config, ways: tuple[str, ...]) -> Targets:
    """Return the targets of every way code from 1."""
    named = [_target(config, name) for name in ways[1:]]
    for name, target in zip(ways[1:], named, strict=True):
        target.check("config", name)
    dead = Target(dead_time_ns=_dead_time_ns(config))
    targets = [*named, *[dead] * (MAX_WAYS - 1 - len(named))]
    codes = AbortCodes(Reason.TARGET_REACHED, Reason.HARDWARE_ABORT, Reason.RATE_LIMIT)
    return Targets(targets, codes, shared=config.actuator.shared)


def plate_of(section: WaySection) -> Plate | None:
    """Return the plate a way sorts into; `InputError` for one that cannot be."""
    return None if section.plate is None else Plate(section.plate, section.cells_per_well)


def _target(config: Config, name: str) -> Target:
    section = config.way.get(name, WaySection())
    plate = plate_of(section)
    count = section.target if plate is None else min(section.target or plate.capacity, plate.capacity)
    return Target(count, AtTarget(section.at_target), section.rate_limit_per_s, _dead_time_ns(config))


def _dead_time_ns(config: Config) -> int:
    return int(config.actuator.dead_time_us * 1000)


def _rule(config: Config, name: str, section: WaySection) -> SortRule:
    source, mode = f"config: way {name}", Mode(section.mode)
    in_us = (section.leading_us, section.trailing_us)
    drops = (section.leading_drops, section.trailing_drops)
    if any(part is not None for part in drops):
        if any(part is not None for part in in_us):
            raise InputError("config", f"way.{name}", "a window in time and in drops", "one of them")
        frequency = config.actuator.drop_frequency_hz
        if frequency is None:
            raise InputError("config", "actuator.drop_frequency_hz", "nothing", f"needed by the window of way {name}")
        return in_drops(mode, drops[0] or 0.0, drops[1] or 0.0, frequency, source)
    return in_time(mode, in_us[0] or 0.0, in_us[1] or 0.0, source)


_ANY = SortRule(Mode.YIELD, 0, 0)
