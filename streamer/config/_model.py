"""The streamer's configuration, as types. `docs/configuration.md` explains every field."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streamer.config._gate_types import GateSection, Name, NotNegative
from streamer.wire import What

DEFAULT_CELLS = "tcp://127.0.0.1:5701"
DEFAULT_DECISIONS = "tcp://127.0.0.1:5702"
DEFAULT_TELEMETRY = "tcp://127.0.0.1:5703"
DEFAULT_CONTROL = "tcp://127.0.0.1:5704"
DEFAULT_RECORDING = "tcp://127.0.0.1:5705"
"""Where recorders look for frames; a streamer hands none out unless its configuration names an endpoint."""

Micros = Annotated[float, Meta(ge=0, le=60e6)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
Rung = Annotated[int, Meta(ge=1, le=4096)]
Probability = Annotated[float, Meta(ge=0, le=1)]


class StreamerSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where cells come in, decisions and telemetry go out, and what is run on them."""

    bundle: str
    cells: str = DEFAULT_CELLS
    decisions: str = DEFAULT_DECISIONS
    telemetry: str = DEFAULT_TELEMETRY
    control: str = DEFAULT_CONTROL
    journal: str = "runs"
    slots: Annotated[int, Meta(ge=64, le=1_000_000)] = 4096
    heartbeat_s: Seconds = 1.0
    snapshot_s: Seconds = 0.25
    keep_awake: bool = True
    realtime: bool = True
    spin: bool = False


class EngineSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which engine runs the bundle and how. `name` may be several engines, in order of preference."""

    name: str | Annotated[tuple[str, ...], Meta(min_length=1)] = "auto"
    fallback: bool = False
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    pin: bool | None = None
    mode: Literal["latency", "throughput"] = "latency"
    devices: tuple[Annotated[int, Meta(ge=0, le=255)], ...] | Literal["all"] = ()
    patience_s: Seconds = 2.0
    faults_in_a_row: Annotated[int, Meta(ge=1, le=1000)] = 3
    ladder: Annotated[tuple[Rung, ...], Meta(min_length=1)] | Literal["auto"] = (1, 2, 4, 8, 16, 32)


class TimingSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a decision is too late. What a start message says of its own series comes first.

    Without a sort delay a series has no deadline: no cell is late, and instead of shedding cells the streamer lets
    the sender wait.
    """

    sort_delay_us: Micros | None = None
    actuation_lead_us: Micros = 0.0
    publish_margin_us: Micros = 100.0


class DecisionSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules that hold for every gate, and where gates come from beside the `[[gate]]` tables.

    `gating_ml` is a Gating-ML 2.0 file whose gates come after those of the tables; `ways` gives them their ways.
    """

    armed: bool = True
    disarm_without_sorter: bool = True
    min_confidence: Probability = 0.0
    max_unfamiliarity: NotNegative | None = None
    gating_ml: str | None = None
    ways: dict[str, Name] | None = None


class WaySection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the wanted cells of a way are sorted: the mode, the window around a cell, the target.

    The window's parts are given in microseconds or in drops (steps of 1/32, with `actuator.drop_frequency_hz`).
    """

    mode: Literal["yield", "purity", "single"] = "yield"
    leading_us: Micros | None = None
    trailing_us: Micros | None = None
    leading_drops: Annotated[float, Meta(ge=0, le=1000)] | None = None
    trailing_drops: Annotated[float, Meta(ge=0, le=1000)] | None = None
    target: Annotated[int, Meta(ge=1, le=10**12)] | None = None
    at_target: Literal["stop", "continue"] = "stop"
    rate_limit_per_s: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    plate: Literal[96, 384] | None = None
    cells_per_well: Annotated[int, Meta(ge=1, le=10**6)] = 1


class ActuatorSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the sorting hardware needs, and what the transport of cells promises."""

    shared: bool = True
    dead_time_us: Micros = 0.0
    drop_frequency_hz: Annotated[float, Meta(gt=0, le=1e7)] | None = None
    reorder_us: Micros = 0.0
    transport_us: Micros = 2000.0
    in_order: bool = False


class JournalSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the journal is synced, and whether sorting goes on without it."""

    sync_s: Annotated[float, Meta(gt=0, le=1)] = 0.5
    on_fault: Literal["disarm", "continue"] = "disarm"


class RecordingSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which frames are handed to a recorder, and where it connects. Nothing is without an `endpoint`."""

    endpoint: str | None = None
    what: What = "all"
    fraction: Annotated[float, Meta(gt=0, le=1)] = 0.01
    seed: Annotated[int, Meta(ge=0, le=2**62)] = 0
    buffer_mb: Annotated[int, Meta(ge=1, le=65536)] = 64


class SecuritySection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CURVE keys; with them endpoints may be wider than this machine."""

    server_secret_key: str | None = None
    authorized_keys: str | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration file."""

    streamer: StreamerSection
    engine: EngineSection = EngineSection()
    timing: TimingSection = TimingSection()
    decision: DecisionSection = DecisionSection()
    journal: JournalSection = JournalSection()
    recording: RecordingSection = RecordingSection()
    security: SecuritySection = SecuritySection()
    gate: tuple[GateSection, ...] = ()
    way: dict[Name, WaySection] = {}
    actuator: ActuatorSection = ActuatorSection()
