"""The trainer: recorded cells in, a bundle out. Importing it needs no PyTorch; training does."""

from engines.training._entry import train
from engines.training._recipe import Recipe
from engines.training._split import Split, split

__all__ = ["Recipe", "Split", "split", "train"]
