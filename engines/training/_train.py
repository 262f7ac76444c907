"""The training loop: one cycle of Nesterov SGD, a running mean of the weights, the best epoch by validation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engines.errors import CellgateError
from engines.training._augment import augment
from engines.training._calibrate import calibrate, negative_log_likelihood
from engines.training._recipe import Recipe

Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Fitted:
    """What the loop found.

    Attributes
    ----------
    network
        The network with the running mean of the weights at the picked epoch, in evaluation mode.
    epoch
        That epoch, from 1.
    history
        Per epoch: training `loss`, and on the validation cells, calibrated, `accuracy` and `nll`, whose lowest picks.
    class_weights
        `(K,)` float32 weight of a cell of each class in the loss, 1 on average over the cells.
    """

    network: nn.Module
    epoch: int
    history: list[dict[str, float]]
    class_weights: NDArray[np.float32]


def fit(
    network: nn.Module,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    recipe: Recipe,
    *,
    seed: int,
    guide: Tensor | None = None,
    report: Report = lambda _epoch, _figures: None,
) -> Fitted:
    """Train a network.

    Parameters
    ----------
    network
        Maps `(n, C, H, W)` to (logits, embedding); it is changed in place.
    train, validation
        Standardised frames `(n, C, H, W)` float32 with the background at 0, and classes `(n,)` int64. Without
        validation cells the last epoch is picked.
    seed
        Of the order and the augmentation. The weights at the start are the caller's.
    guide
        `(n, G)` float32 targets of the training cells for a second head on the embedding, which is thrown away.
    report
        Called after each epoch with its number, from 1, and its figures.
    """
    frames, labels = train
    generator = torch.Generator().manual_seed(seed)
    weights = class_weights(labels, recipe.class_power)
    steps = max(1, len(frames) // recipe.batch)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    second = None if guide is None else nn.Linear(cast("int", network.embedding), guide.shape[1])
    optimizer, schedule = _cycle([network] if second is None else [network, second], recipe, steps)
    mean = copy.deepcopy(network).eval()
    best, lowest, best_epoch, done = copy.deepcopy(mean.state_dict()), float("inf"), 0, 0
    history: list[dict[str, float]] = []
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        total = 0.0
        order = torch.randperm(len(frames), generator=generator)
        for chosen in torch.split(order[: steps * recipe.batch], recipe.batch):
            batch = augment(frames[chosen], recipe, generator).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
                logits, embedding = network(batch)
            loss = functional.cross_entropy(
                logits.float(), labels[chosen], weights, label_smoothing=recipe.label_smoothing
            )
            if second is not None and guide is not None:
                foretold = second(embedding.float())
                loss = loss + recipe.guide_weight * functional.mse_loss(foretold, guide[chosen])
            if not torch.isfinite(loss):
                raise CellgateError(
                    f"training: the loss became {loss.item()} in epoch {epoch}: lower the learning rate"
                )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            done += 1
            _follow(mean, network, min(recipe.ema, (1 + done) / (10 + done)))
            total += loss.item()
        figures = {"loss": total / steps, **_validate(mean, validation, weights, recipe.prior_correction)}
        history.append(figures)
        if figures.get("nll", 0.0) <= lowest:
            best, lowest, best_epoch = copy.deepcopy(mean.state_dict()), figures.get("nll", 0.0), epoch
        report(epoch, figures)
    mean.load_state_dict(best)
    return Fitted(mean, best_epoch, history, weights.numpy())


def class_weights(labels: Tensor, power: float) -> Tensor:
    """Return `(K,)` weights `n_k ** -power`, scaled to 1 on average over the cells."""
    counts = torch.bincount(labels).float()
    weights = counts.clamp(min=1).pow(-power)
    return weights * (counts.sum() / (weights * counts).sum())


def predict(network: nn.Module, frames: Tensor, batch: int = 256) -> Tensor:
    """Return the logits `(n, K)` of standardised frames."""
    with torch.inference_mode():
        return torch.cat([network(part)[0] for part in torch.split(frames, batch)])


def _cycle(
    networks: list[nn.Module], recipe: Recipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return the optimiser and its one cycle of `epochs * steps` steps."""
    parameters = [p for network in networks for p in network.parameters()]
    # Decay acts on matrices and kernels only: on scales and shifts of batch norm it does nothing useful.
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, recipe.learning_rate, recipe.momentum, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.learning_rate,
        total_steps=recipe.epochs * steps,
        pct_start=recipe.warmup,
        cycle_momentum=False,
    )
    return optimizer, schedule


@torch.no_grad()
def _follow(mean: nn.Module, network: nn.Module, decay: float) -> None:
    for slow, fast in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - decay)
        else:
            slow.copy_(fast)


def _validate(
    mean: nn.Module, validation: tuple[Tensor, Tensor], weights: Tensor, prior_correction: float
) -> dict[str, float]:
    """Return accuracy and likelihood as they would be after calibration: training shifts both back and forth."""
    frames, labels = validation[0], validation[1].numpy()
    if not len(frames):
        return {}
    logits = predict(mean, frames).numpy()
    logits = calibrate(logits, labels, weights.numpy(), prior_correction=prior_correction).logits(logits)
    return {"accuracy": float((logits.argmax(1) == labels).mean()), "nll": negative_log_likelihood(logits, labels)}
