"""The streamer's configuration file."""

from streamer.config._load import load_config, parse_config
from streamer.config._model import (
    DEFAULT_CELLS,
    DEFAULT_DECISIONS,
    DEFAULT_TELEMETRY,
    Bound,
    Config,
    GateSection,
)

__all__ = [
    "DEFAULT_CELLS",
    "DEFAULT_DECISIONS",
    "DEFAULT_TELEMETRY",
    "Bound",
    "Config",
    "GateSection",
    "load_config",
    "parse_config",
]
