"""Bundles: what the trainer exports and an engine loads (a manifest and ONNX graphs in a directory)."""

from engines.bundle._bundle import Bundle, find_bundle, load_bundle, pretrained
from engines.bundle._manifest import (
    Dtype,
    FileEntry,
    Fit,
    GraphEntry,
    GraphTarget,
    InputSpec,
    Manifest,
    OutputSpec,
    Precision,
)
from engines.bundle._seen import fingerprints
from engines.bundle._write import write_bundle

__all__ = [
    "Bundle",
    "Dtype",
    "FileEntry",
    "Fit",
    "GraphEntry",
    "GraphTarget",
    "InputSpec",
    "Manifest",
    "OutputSpec",
    "Precision",
    "find_bundle",
    "fingerprints",
    "load_bundle",
    "pretrained",
    "write_bundle",
]
