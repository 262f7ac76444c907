"""The demo: streamer, cytometer, sorter and observer together, each in its own process, watched live."""

from streamer.demo._children import Child
from streamer.demo._demo import Run, run_demo
from streamer.demo._setting import Setting, choose_setting
from streamer.demo._view import Show

__all__ = ["Child", "Run", "Setting", "Show", "choose_setting", "run_demo"]
