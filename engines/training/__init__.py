"""The trainer: recorded cells in, a bundle out. Importing it needs no PyTorch; training does."""

from engines.training._entry import train
from engines.training._plan import Plan
from engines.training._recipe import Recipe
from engines.training._split import Split, folds, split

__all__ = ["Plan", "Recipe", "Split", "folds", "split", "train"]
