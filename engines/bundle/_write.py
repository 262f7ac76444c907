"""Write a bundle: put the graphs beside a manifest that names their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.bundle._bundle import Bundle, load_bundle
from engines.bundle._manifest import (
    FORMAT,
    MANIFEST_NAME,
    VERSION,
    FileEntry,
    GraphEntry,
    InputSpec,
    Manifest,
    OutputSpec,
    Precision,
)

_GPU_NAME, _SEEN_NAME, _WEIGHTS_NAME = "int8-gpu.onnx", "seen.u64", "weights.npz"


def write_bundle(
    path: str | Path,
    *,
    name: str,
    classes: tuple[str, ...],
    inputs: InputSpec,
    outputs: OutputSpec,
    graphs: Mapping[Precision, tuple[bytes, int]],
    gpu_int8: tuple[bytes, int] | None = None,
    seen: NDArray[np.uint64] | None = None,
    weights: bytes | None = None,
    training: Mapping[str, object] | None = None,
    metrics: Mapping[str, object] | None = None,
) -> Bundle:
    """Write a bundle into directory `path` and load it back, so that what is returned was checked.

    Parameters
    ----------
    graphs
        For each precision the serialised ONNX model and its opset.
    gpu_int8
        The same of an int8 graph for TensorRT.
    seen
        Fingerprints (`engines.bundle.fingerprints`) of every cell that training or tuning has looked at.
    weights
        Of the network before export, an `.npz` of arrays by name.
    training, metrics
        JSON-able provenance and figures.
    """
    directory = Path(path)
    directory.mkdir(parents=True, exist_ok=True)
    entries = []
    for precision, (model, opset) in graphs.items():
        file = f"{precision}.onnx"
        entries.append(GraphEntry(file=file, sha256=_put(directory / file, model), precision=precision, opset=opset))
    if gpu_int8 is not None:
        model, opset = gpu_int8
        digest = _put(directory / _GPU_NAME, model)
        entries.append(GraphEntry(file=_GPU_NAME, sha256=digest, precision="int8", opset=opset, target="gpu"))
    seen_entry = None
    if seen is not None:
        payload = np.unique(seen).astype("<u8").tobytes()
        seen_entry = FileEntry(file=_SEEN_NAME, sha256=_put(directory / _SEEN_NAME, payload))
    weights_entry = None
    if weights is not None:
        weights_entry = FileEntry(file=_WEIGHTS_NAME, sha256=_put(directory / _WEIGHTS_NAME, weights))
    manifest = Manifest(
        format=FORMAT,
        version=VERSION,
        name=name,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        classes=classes,
        input=inputs,
        outputs=outputs,
        graphs=tuple(entries),
        seen=seen_entry,
        weights=weights_entry,
        training=dict(training or {}),
        metrics=dict(metrics or {}),
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    _put(directory / MANIFEST_NAME, text + b"\n")
    return load_bundle(directory)


def _put(path: Path, payload: bytes) -> str:
    path.write_bytes(payload)
    return hashlib.sha256(payload).hexdigest()
