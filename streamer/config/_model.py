"""The streamer's configuration, as types. `docs/configuration.md` explains every field."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

DEFAULT_CELLS = "tcp://127.0.0.1:5701"
DEFAULT_DECISIONS = "tcp://127.0.0.1:5702"
DEFAULT_TELEMETRY = "tcp://127.0.0.1:5703"

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}\Z")]
Micros = Annotated[float, Meta(ge=0, le=60e6)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
Probability = Annotated[float, Meta(ge=0, le=1)]


class StreamerSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where cells come in, decisions and telemetry go out, and what is run on them."""

    bundle: str
    cells: str = DEFAULT_CELLS
    decisions: str = DEFAULT_DECISIONS
    telemetry: str = DEFAULT_TELEMETRY
    journal: str = "runs"
    slots: Annotated[int, Meta(ge=64, le=1_000_000)] = 4096
    heartbeat_s: Seconds = 1.0
    snapshot_s: Seconds = 0.25


class EngineSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which engine runs the bundle and how."""

    name: str = "auto"
    precision: Literal["fp32", "int8"] = "fp32"
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    ladder: Annotated[tuple[Annotated[int, Meta(ge=1, le=4096)], ...], Meta(min_length=1)] = (1, 2, 4, 8, 16, 32)


class TimingSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a decision is too late. What a start message says of its own series comes first.

    Without a sort delay a series has no deadline: no cell is late, and instead of shedding cells the streamer lets
    the sender wait.
    """

    sort_delay_us: Micros | None = None
    actuation_lead_us: Micros = 0.0
    publish_margin_us: Micros = 100.0


class DecisionSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules that hold for every gate."""

    armed: bool = True
    min_confidence: Probability = 0.0


class JournalSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the journal is synced, and whether sorting goes on without it."""

    sync_s: Annotated[float, Meta(gt=0, le=1)] = 0.5
    on_fault: Literal["disarm", "continue"] = "disarm"


class SecuritySection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CURVE keys; with them endpoints may be wider than this machine."""

    server_secret_key: str | None = None
    authorized_keys: str | None = None


class Bound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A span of probability: `min` is inside, `max` is outside; without one that side is open."""

    min: Probability | None = None
    max: Probability | None = None


class GateSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gate: the way of a cell whose probabilities lie inside every bound.

    The keys of `where` are class names, or several joined by `+` for the sum of their probabilities. Gates are asked
    in the order of the file; the first that holds the cell decides.
    """

    name: Name
    way: Name
    where: Annotated[dict[str, Bound], Meta(min_length=1)]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration file."""

    streamer: StreamerSection
    engine: EngineSection = EngineSection()
    timing: TimingSection = TimingSection()
    decision: DecisionSection = DecisionSection()
    journal: JournalSection = JournalSection()
    security: SecuritySection = SecuritySection()
    gate: tuple[GateSection, ...] = ()
