"""The PyTorch engine: a bundle's graph in PyTorch, on the CPU as a reference and on a GPU without TensorRT."""

from engines.pytorch._engine import TorchEngine
from engines.pytorch._open import open_torch

__all__ = ["TorchEngine", "open_torch"]
