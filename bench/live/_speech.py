"""How a cell is put to a server over HTTP: each as its own documentation has it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Literal

Speech = Literal["rep", "plain", "base64", "triton"]
"""What a server understands: a REP socket the counts as they lie in memory, and over HTTP one of the others."""

Build = Callable[[memoryview], bytes]


def request_builder(speech: Speech, shape: tuple[int, int, int], dtype: str) -> Build:
    """Return what makes a whole request of one cell's frame, `(C, H, W)` counts of `dtype` as bytes."""
    if speech == "base64":
        return _base64
    if speech == "triton":
        return _triton(shape, dtype)
    return lambda block: _head("/", "application/octet-stream", block.nbytes) + block


def _base64(block: memoryview) -> bytes:
    body = b'{"frame": "%b"}' % base64.b64encode(block)
    return _head("/predict", "application/json", len(body)) + body


def _triton(shape: tuple[int, int, int], dtype: str) -> Build:
    """JSON that describes the tensor, then the counts: Triton's binary tensor data extension."""
    datatype = {"uint8": "UINT8", "uint16": "UINT16", "float32": "FP32"}[dtype]

    def build(block: memoryview) -> bytes:
        frames = {"name": "frames", "shape": [1, *shape], "datatype": datatype}
        wanted = {"name": "probabilities", "parameters": {"binary_data": True}}
        inputs = [{**frames, "parameters": {"binary_data_size": block.nbytes}}]
        about = json.dumps({"inputs": inputs, "outputs": [wanted]}).encode()
        extra = f"Inference-Header-Content-Length: {len(about)}\r\n"
        kind = "application/octet-stream"
        return _head("/v2/models/cells/infer", kind, len(about) + block.nbytes, extra) + about + block

    return build


def _head(path: str, kind: str, size: int, extra: str = "") -> bytes:
    lines = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{extra}\r\n"
    return lines.encode()
