"""A sorter that is not there: a physical model of stream, window and actuation that decides by the real code."""

from streamer.sortsim._closed_forms import predict
from streamer.sortsim._confusion import read_confusion
from streamer.sortsim._figures import Figures
from streamer.sortsim._latency import parse_latency
from streamer.sortsim._plot import draw_trade_off, require_plot
from streamer.sortsim._setting import Setting
from streamer.sortsim._simulate import simulate
from streamer.sortsim._spans import parse_duration, parse_window
from streamer.sortsim._sweep import Sweep, parse_sweep

__all__ = [
    "Figures",
    "Setting",
    "Sweep",
    "draw_trade_off",
    "parse_duration",
    "parse_latency",
    "parse_sweep",
    "parse_window",
    "predict",
    "read_confusion",
    "require_plot",
    "simulate",
]
