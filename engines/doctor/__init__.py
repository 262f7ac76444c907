"""Check a machine: what it is, which libraries it has, and whether each engine works on it."""

from engines.doctor._engines import BUDGET_S, EngineCheck, check_engines
from engines.doctor._libraries import libraries
from engines.doctor._machine import machine
from engines.doctor._nvidia import nvidia
from engines.doctor._types import Fact

__all__ = ["BUDGET_S", "EngineCheck", "Fact", "check_engines", "libraries", "machine", "nvidia"]
