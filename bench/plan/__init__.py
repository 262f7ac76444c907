"""How large a machine must be for a camera: the most cells per second, what binds, and what to change."""

from bench.plan._answer import ROOM, Answer, Change, answer, costs_of
from bench.plan._bench import Asked, measure, parse_size, tables
from bench.plan._camera import Camera, Setup, check_camera
from bench.plan._check import check
from bench.plan._predict import COPIES, Costs, Machine, Prediction, predict
from bench.plan._quick import measure_model

__all__ = [
    "COPIES",
    "ROOM",
    "Answer",
    "Asked",
    "Camera",
    "Change",
    "Costs",
    "Machine",
    "Prediction",
    "Setup",
    "answer",
    "check",
    "check_camera",
    "costs_of",
    "measure",
    "measure_model",
    "parse_size",
    "predict",
    "tables",
]
