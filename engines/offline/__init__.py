"""Offline: a bundle over a whole recording, and files turned from one format into another. See docs/results.md."""

from engines.offline._accuracy import Accuracy, accuracy_of
from engines.offline._blocks import Block, blocks_of, channels_of
from engines.offline._classify import classified, classify
from engines.offline._convert import convert
from engines.offline._parts import Parts, RunInfo
from engines.offline._table import table_of
from engines.offline._write_frames import write_hdf5, write_zarr

__all__ = [
    "Accuracy",
    "Block",
    "Parts",
    "RunInfo",
    "accuracy_of",
    "blocks_of",
    "channels_of",
    "classified",
    "classify",
    "convert",
    "table_of",
    "write_hdf5",
    "write_zarr",
]
