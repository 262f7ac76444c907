"""Cost against channels, frame size, classes and rate, measured and fitted by terms that mean something."""

from bench.scale._bench import measure, tables
from bench.scale._engines import EnginePoint, fit_engine, measure_bundle, measure_network
from bench.scale._fit import Fitted, fit
from bench.scale._model import EngineModel, Model, StreamingModel, read_model
from bench.scale._streaming import StreamingPoint, fit_streaming, measure_rates, measure_streaming
from bench.scale._terms import Shape, engine_terms, streaming_terms, work_terms

__all__ = [
    "EngineModel",
    "EnginePoint",
    "Fitted",
    "Model",
    "Shape",
    "StreamingModel",
    "StreamingPoint",
    "engine_terms",
    "fit",
    "fit_engine",
    "fit_streaming",
    "measure",
    "measure_bundle",
    "measure_network",
    "measure_rates",
    "measure_streaming",
    "read_model",
    "streaming_terms",
    "tables",
    "work_terms",
]
