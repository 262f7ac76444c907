"""What a bundle's `manifest.json` says, as types.

The manifest is the bundle's identity: it holds the SHA-256 of every other file, so the SHA-256 of the
manifest itself (`Bundle.sha256`) names the whole.
"""

from __future__ import annotations

from typing import Literal

import msgspec

FORMAT = "cellgate-bundle"
VERSION = 1
MANIFEST_NAME = "manifest.json"

Dtype = Literal["uint8", "uint16", "float32"]
Fit = Literal["crop-pad", "resize"]
Precision = Literal["fp32", "int8"]
GraphTarget = Literal["any", "gpu"]
"""Which engines a graph is for: TensorRT wants int8 around zero, processors want uint8 with zero points."""


class InputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The frames the graph takes: `(n, len(channels), height, width)` raw counts of `dtype`.

    `fit` says how a cell of another size is brought to this one: `crop-pad` (centre crop, pad with the frame's
    own background) keeps the scale of a pixel, `resize` keeps the whole frame.
    """

    channels: tuple[str, ...]
    dtype: Dtype
    height: int
    width: int
    fit: Fit = "crop-pad"


class OutputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the graph returns besides `probabilities` (n, classes): embedding size and measurement names."""

    embedding: int
    measurements: tuple[str, ...]


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the bundle with its lower-case hexadecimal SHA-256."""

    file: str
    sha256: str


class GraphEntry(FileEntry, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One ONNX graph of the bundle.

    `target` is written only where it is not `any`, so that bundles without a graph for GPUs are what they always were.
    """

    precision: Precision
    opset: int
    target: GraphTarget = "any"


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole manifest.

    `weights` are those of the network before export, from which another training can start; no engine reads them.
    `training` and `metrics` are free-form: provenance and figures for people.
    """

    format: str
    version: int
    name: str
    created: str
    classes: tuple[str, ...]
    input: InputSpec
    outputs: OutputSpec
    graphs: tuple[GraphEntry, ...]
    seen: FileEntry | None = None
    weights: FileEntry | None = None
    training: dict[str, object] = {}
    metrics: dict[str, object] = {}
