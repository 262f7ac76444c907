"""The streamer's configuration file."""

from streamer.config._check_gates import check_gates, is_probability
from streamer.config._check_polygon import corners_of
from streamer.config._gate_types import (
    Asinh,
    Bound,
    Ellipsoid,
    GateSection,
    Linear,
    Log,
    Logicle,
    Polygon,
    Scale,
)
from streamer.config._load import load_config, parse_config
from streamer.config._model import (
    DEFAULT_CELLS,
    DEFAULT_CONTROL,
    DEFAULT_DECISIONS,
    DEFAULT_RECORDING,
    DEFAULT_TELEMETRY,
    Config,
    DecisionSection,
    RecordingSection,
    WaySection,
)

__all__ = [
    "DEFAULT_CELLS",
    "DEFAULT_CONTROL",
    "DEFAULT_DECISIONS",
    "DEFAULT_RECORDING",
    "DEFAULT_TELEMETRY",
    "Asinh",
    "Bound",
    "Config",
    "DecisionSection",
    "Ellipsoid",
    "GateSection",
    "Linear",
    "Log",
    "Logicle",
    "Polygon",
    "RecordingSection",
    "Scale",
    "WaySection",
    "check_gates",
    "corners_of",
    "is_probability",
    "load_config",
    "parse_config",
]
