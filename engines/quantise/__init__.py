"""An int8 graph beside the FP32 one: made from real cells, and proved to answer alike before it is kept."""

from engines.quantise._entry import TARGETS, Quantised, Target, quantise
from engines.quantise._into_bundle import add_int8

__all__ = ["TARGETS", "Quantised", "Target", "add_int8", "quantise"]
