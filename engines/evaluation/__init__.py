"""Evaluation: how good a bundle is on labelled cells, as figures, JSON and a page to read."""

from engines.evaluation._class_mix_file import check_mix, read_class_mix
from engines.evaluation._evaluate import evaluate
from engines.evaluation._evaluation import Evaluation, Found, GroupFigures, Made, UnknownClass
from engines.evaluation._figures import figures, measure
from engines.evaluation._merge import merge_classes, parse_merges
from engines.evaluation._page import format_page, write_report
from engines.evaluation._predict import predict, predict_batches
from engines.evaluation._types import Figures

__all__ = [
    "Evaluation",
    "Figures",
    "Found",
    "GroupFigures",
    "Made",
    "UnknownClass",
    "check_mix",
    "evaluate",
    "figures",
    "format_page",
    "measure",
    "merge_classes",
    "parse_merges",
    "predict",
    "predict_batches",
    "read_class_mix",
    "write_report",
]
