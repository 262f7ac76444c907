"""Augment a batch of cells: symmetries, rotation, sub-pixel shift, gain and offset of each channel."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from engines.training._recipe import Recipe


def augment(frames: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Return a randomly changed copy of a batch.

    Parameters
    ----------
    frames
        `(n, C, H, W)` float32, standardised with the background at 0, which is what moves in from outside.
    recipe
        `rotate`, `shift`, `gain` and `offset` are used.
    generator
        Source of every random number, so that a seed names the run.

    Returns
    -------
    The same shape and dtype.
    """
    return _gain(_move(_symmetry(frames, generator), recipe, generator), recipe, generator)


def _symmetry(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Apply one of the 8 symmetries of the square to each cell, or of the 4 of the rectangle."""
    n, _, height, width = frames.shape
    coins = torch.rand(3, n, 1, 1, 1, generator=generator) < 0.5
    frames = torch.where(coins[0], frames.flip(2), frames)
    frames = torch.where(coins[1], frames.flip(3), frames)
    return torch.where(coins[2], frames.transpose(2, 3), frames) if height == width else frames


def _move(frames: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Turn and shift. Cells that are not turned are shifted by whole pixels, which leaves their noise as it is."""
    if recipe.rotate <= 0 and recipe.shift <= 0:
        return frames
    n, _, height, width = frames.shape
    turned = torch.rand(n, generator=generator) < recipe.rotate
    angle = torch.where(turned, torch.rand(n, generator=generator) * (2 * math.pi), torch.zeros(n))
    shift = (torch.rand(2, n, generator=generator) * 2 - 1) * recipe.shift
    shift = torch.where(turned, shift, shift.round())
    cosine, sine = angle.cos(), angle.sin()
    # Rows of the matrix that grid_sample wants: its coordinates run from -1 to 1 along each side.
    across = torch.stack((cosine, -sine * (height / width), shift[0] * (2 / width)), dim=1)
    along = torch.stack((sine * (width / height), cosine, shift[1] * (2 / height)), dim=1)
    grid = functional.affine_grid(torch.stack((across, along), dim=1), list(frames.shape), align_corners=False)
    return functional.grid_sample(frames, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _gain(frames: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    shape = (2, *frames.shape[:2], 1, 1)
    normal = torch.randn(shape, generator=generator)
    return frames * (normal[0] * recipe.gain).exp() + normal[1] * recipe.offset
