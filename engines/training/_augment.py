"""Augment a batch of cells as a flow cytometer would have: pose, focus, light, noise.

A cell in flow has no up and no side, lies a little off the centre and a little off the focus, and the lamp and the
gain drift. Every random number is drawn on the device of the batch from one generator, so that a seed names the run.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from engines.training._recipe import Recipe

_BACKGROUND_KNOTS = 4


def augment(frames: Tensor, recipe: Recipe, generator: torch.Generator, untouched: int = 0) -> Tensor:
    """Return a randomly changed copy of a batch.

    Parameters
    ----------
    frames
        `(n, C, H, W)` float32, standardised with the background at 0, which is what moves in from outside.
    recipe
        `rotate`, `shift`, `blur`, `gain`, `offset`, `background` and `noise` are used.
    generator
        Source of every random number, on the device of the frames.
    untouched
        This many channels at the end are moved with the others but keep their focus, light and noise: pictures the
        network is to foretell.

    Returns
    -------
    The same shape and dtype.
    """
    frames = _move(_symmetry(frames, generator), recipe, generator)
    if not untouched:
        return _imaging(frames, recipe, generator)
    seen = frames.shape[1] - untouched
    return torch.cat((_imaging(frames[:, :seen], recipe, generator), frames[:, seen:]), dim=1)


def _imaging(frames: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    frames = _background(_light(_focus(frames, recipe, generator), recipe, generator), recipe, generator)
    if recipe.noise > 0:
        frames = frames + recipe.noise * _normal(frames.shape, generator)
    return frames


def _symmetry(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Apply one of the 8 symmetries of the square to each cell, or of the 4 of the rectangle."""
    n, _, height, width = frames.shape
    coins = _uniform((3, n, 1, 1, 1), generator) < 0.5
    frames = torch.where(coins[0], frames.flip(2), frames)
    frames = torch.where(coins[1], frames.flip(3), frames)
    return torch.where(coins[2], frames.transpose(2, 3), frames) if height == width else frames


def _move(frames: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Turn and shift. Cells that are not turned are shifted by whole pixels, which leaves their noise as it is."""
    if recipe.rotate <= 0 and recipe.shift <= 0:
        return frames
    n, _, height, width = frames.shape
    turned = _uniform((n,), generator) < recipe.rotate
    angle = torch.where(turned, _uniform((n,), generator) * (2 * math.pi), torch.zeros_like(frames[:, 0, 0, 0]))
    shift = (_uniform((2, n), generator) * 2 - 1) * recipe.shift
    shift = torch.where(turned, shift, shift.round())
    cosine, sine = angle.cos(), angle.sin()
    # Rows of the matrix that grid_sample wants: its coordinates run from -1 to 1 along each side.
    across = torch.stack((cosine, -sine * (height / width), shift[0] * (2 / width)), dim=1)
    along = torch.stack((sine * (width / height), cosine, shift[1] * (2 / height)), dim=1)
    grid = functional.affine_grid(torch.stack((across, along), dim=1), list(frames.shape), align_corners=False)
    return functional.grid_sample(frames, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _focus(frames: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Blur half of the cells by a Gaussian of up to `blur` pixels; all channels look through one objective."""
    if recipe.blur <= 0:
        return frames
    n, channels, height, width = frames.shape
    reach = max(1, math.ceil(2 * recipe.blur))
    sigma = _uniform((n, 2), generator)
    width_of = torch.where(sigma[:, :1] < 0.5, sigma[:, 1:] * recipe.blur, torch.zeros_like(sigma[:, 1:]))
    offsets = torch.arange(-reach, reach + 1, device=frames.device)
    # At sigma 0 the exponent is −∞ everywhere but in the middle: the kernel is the identity.
    kernel = (-0.5 * (offsets / width_of.clamp(min=1e-3)).square()).exp()
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    flat = frames.reshape(1, n * channels, height, width)
    flat = functional.conv2d(flat, kernel[:, None, :, None], padding=(reach, 0), groups=n * channels)
    flat = functional.conv2d(flat, kernel[:, None, None, :], padding=(0, reach), groups=n * channels)
    return flat.reshape(frames.shape)


def _light(frames: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Multiply and shift each channel of each cell."""
    normal = _normal((2, *frames.shape[:2], 1, 1), generator)
    return frames * (normal[0] * recipe.gain).exp() + normal[1] * recipe.offset


def _background(frames: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Add a smooth artificial background, as Yao et al. do against irregular substrates."""
    if recipe.background <= 0:
        return frames
    n, channels, height, width = frames.shape
    coarse = _normal((n, channels, _BACKGROUND_KNOTS, _BACKGROUND_KNOTS), generator) * recipe.background
    return frames + functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device)
