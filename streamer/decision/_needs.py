"""What a configuration needs of an engine beyond the classes."""

from __future__ import annotations

from engines.bundle import Manifest
from streamer.config import Config
from streamer.decision._gates import Gates
from streamer.decision._gating_file import with_gating_file


def needs_measurements(config: Config, bundle: Manifest) -> bool:
    """Tell whether a gate or a limit of the configuration looks at a measurement of the bundle.

    Raises `InputError` where the gates ask for what the bundle does not give, or their file cannot be read.
    """
    config = with_gating_file(config)
    return config.decision.max_unfamiliarity is not None or Gates(config.gate, bundle).measured
