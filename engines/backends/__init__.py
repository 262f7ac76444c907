"""Engines: a bundle compiled for one device, behind one interface."""

from engines.backends._interface import DEFAULT_LADDER, Engine, Predictions
from engines.backends._open import ENGINES, open_engine
from engines.backends._wakeup import Wakeup

__all__ = ["DEFAULT_LADDER", "ENGINES", "Engine", "Predictions", "Wakeup", "open_engine"]
