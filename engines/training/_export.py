"""Export a trained network as one ONNX graph that takes raw counts."""

from __future__ import annotations

import copy
import io
import warnings

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.bundle import Dtype
from engines.training._calibrate import Calibration
from engines.training._measure import Background, Measure
from engines.training._preprocess import Scaling
from engines.training._symmetric import Symmetric
from engines.training._unfamiliar import Unfamiliarity

OPSET = 17
OUTPUTS = ("probabilities", "embedding", "measurements")

# PyTorch exports no unsigned 16-bit inputs: the graph is traced with an integer it knows and retyped afterwards.
_TRACED = {"uint8": torch.uint8, "uint16": torch.int32, "float32": torch.float32}
_RETYPED = {
    "uint8": onnx.TensorProto.UINT8,
    "uint16": onnx.TensorProto.UINT16,
    "float32": onnx.TensorProto.FLOAT,
}


class Classifier(nn.Module):
    """Raw counts in; calibrated probabilities, embedding and measurements out.

    Parameters
    ----------
    network
        Trained; its last layer must be a linear one called `head`. It is copied.
    front
        A normalisation of each cell, or nothing.
    scaling, calibration, unfamiliarity, clip
        As fitted. The calibration is folded into the copy's last layer, where it costs nothing at run time.
    height, width
        Of the frames.
    symmetries
        The network answers the mean over this many of the square's symmetries, at that many times the cost.
    """

    scales: Tensor

    def __init__(
        self,
        network: nn.Module,
        front: nn.Module,
        scaling: Scaling,
        calibration: Calibration,
        unfamiliarity: Unfamiliarity,
        clip: float,
        height: int,
        width: int,
        symmetries: int = 1,
    ) -> None:
        super().__init__()
        self.front = front
        self.network = Symmetric(_calibrated(network, calibration), symmetries)
        self.unfamiliarity = unfamiliarity
        self.background = Background(height, width)
        self.measure = Measure(torch.from_numpy(scaling.thresholds), height, width)
        self.register_buffer("scales", torch.from_numpy(1 / scaling.scales).reshape(1, -1, 1))
        self.clip = clip
        self.shape = (len(scaling.scales), height, width)
        # All of it: the exporter puts back the outermost module's mode, and would take batch norm along.
        self.eval()

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map `(n, C, H, W)` counts to `(n, K)`, `(n, E)` and `(n, C*7 + 1)` float32."""
        counts = frames.float().reshape(-1, self.shape[0], self.shape[1] * self.shape[2])
        background = self.background(counts)
        above = counts - background
        standardised = (above * self.scales).clamp(-self.clip, self.clip)
        logits, embedding = self.network(self.front(standardised.reshape(-1, *self.shape)))
        measurements = torch.cat((self.measure(above, background), self.unfamiliarity(embedding)), dim=1)
        return logits.softmax(dim=1), embedding, measurements


def export(classifier: Classifier, dtype: Dtype) -> bytes:
    """Return the serialised ONNX model: input `frames` of `dtype`, the three outputs, any number of cells.

    The model was checked by ONNX's own checker, shapes inferred.
    """
    example = torch.zeros((2, *classifier.shape), dtype=_TRACED[dtype])
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The tracing exporter needs nothing beyond onnx itself; it announces its successor on every call.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            classifier,
            (example,),
            buffer,  # type: ignore[arg-type]
            input_names=["frames"],
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "cells"} for name in ("frames", *OUTPUTS)},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    model.graph.input[0].type.tensor_type.elem_type = _RETYPED[dtype]
    model.producer_name, model.producer_version = "cellgate", ""
    for node in model.graph.node:
        node.ClearField("doc_string")
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def classify(classifier: Classifier, frames: NDArray[np.generic], batch: int = 256) -> tuple[NDArray[np.float32], ...]:
    """Return the three outputs for raw counts `(n, C, H, W)`, computed by PyTorch."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(frames), batch):
            counts = torch.from_numpy(frames[start : start + batch].astype(np.float32))
            parts.append([output.numpy() for output in classifier(counts)])
    return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))


def _calibrated(network: nn.Module, calibration: Calibration) -> nn.Module:
    copied = copy.deepcopy(network)
    head = copied.head
    if not isinstance(head, nn.Linear):
        raise TypeError("a network's last layer must be an nn.Linear called 'head'")
    with torch.no_grad():
        weighting, towards = (torch.from_numpy(v).float() for v in (calibration.weighting, calibration.towards))
        head.weight.div_(calibration.temperature)
        head.bias.sub_(weighting).div_(calibration.temperature).add_(towards)
    return copied
