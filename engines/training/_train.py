"""The training loop: one cycle, a running mean of the weights, the best epoch by validation."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.errors import CellgateError
from engines.training._augment import augment
from engines.training._calibrate import calibrate, negative_log_likelihood
from engines.training._checkpoint import Checkpoint
from engines.training._draw import epoch_seed, order_of
from engines.training._guide import Guide, GuideHeads
from engines.training._loss import Loss, Target, one_hot
from engines.training._optimise import follow, optimiser
from engines.training._pool import Pool
from engines.training._recipe import Recipe
from engines.training._teacher import Teacher

Report = Callable[[float, int, dict[str, float] | None], None]
"""Called after every step with the share of all steps done, the epoch and None, after an epoch with its figures."""

_BATCH = 256


@dataclass(frozen=True)
class Material:
    """What a network is trained on.

    Attributes
    ----------
    cells, labels
        Training cells and their classes `(n,)` int64 in 0 … K−1.
    validation, validation_labels
        Cells that pick the epoch; none at all picks the last.
    front
        Between standardised frames and the network: a normalisation of each cell, or nothing.
    guide
        A channel to foretell, of the training cells; None for none.
    teacher
        Whose probabilities to follow; None for none.
    """

    cells: Pool
    labels: Tensor
    validation: Pool
    validation_labels: NDArray[np.int64]
    front: nn.Module = field(default_factory=nn.Identity)
    guide: Guide | None = None
    teacher: Teacher | None = None


@dataclass(frozen=True)
class Fitted:
    """What the loop found.

    Attributes
    ----------
    network
        The network with the running mean of the weights at the picked epoch, in evaluation mode, on the processor.
    epoch
        That epoch, from 1.
    history
        Per epoch: training `loss`, and on the validation cells, calibrated, `accuracy` and `nll`, whose lowest picks.
    class_weights
        `(K,)` float32: how much more a cell of each class counted, by weight and by draw; 1 on average over the cells.
    """

    network: nn.Module
    epoch: int
    history: list[dict[str, float]] = field(default_factory=list)
    class_weights: NDArray[np.float32] = field(default_factory=lambda: np.ones(0, np.float32))


def fit(
    network: nn.Module,
    material: Material,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device | None = None,
    checkpoint: Checkpoint | None = None,
    report: Report = lambda _share, _epoch, _figures: None,
) -> Fitted:
    """Train a network.

    Parameters
    ----------
    network
        Maps `(n, C, H, W)` to (logits, embedding); it is changed in place. Its weights at the start are the caller's.
    seed
        Of the order and the augmentation. Each epoch draws from a generator of its own, made of the seed and the
        epoch's number, so that a run that was interrupted goes on as though it had not been.
    checkpoint
        Where each epoch is kept and from where a run goes on.
    """
    device = device or torch.device("cpu")
    run = _Run(network.to(device), material, recipe, device)
    if checkpoint is not None:
        run.restore(checkpoint)
    while run.epoch < recipe.epochs and not run.stale:
        figures = run.one_epoch(seed, report)
        if checkpoint is not None:
            checkpoint.save(run.state())
        report(run.epoch / recipe.epochs, run.epoch, figures)
    run.mean.load_state_dict(run.best)
    return Fitted(run.mean.cpu(), run.best_epoch, run.history, run.loss.effective.cpu().numpy())


def predict(
    network: nn.Module, cells: Pool, front: nn.Module, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Return the logits `(n, K)` and the embedding `(n, E)` of all cells of a pool, on the processor."""
    with torch.inference_mode():
        found = [network(front(cells.take(part, device))) for part in cells.parts(_BATCH)]
    return torch.cat([logits for logits, _ in found]).cpu(), torch.cat([embedding for _, embedding in found]).cpu()


class _Run:
    """Everything that changes from epoch to epoch."""

    def __init__(self, network: nn.Module, material: Material, recipe: Recipe, device: torch.device) -> None:
        self.network, self.material, self.recipe, self.device = network, material, recipe, device
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.labels, self.front = material.labels.to(device), material.front.to(device)
        classes, taught = cast("nn.Linear", network.head).out_features, material.teacher is not None
        self.loss = Loss(material.labels, classes, recipe, taught=taught).to(device)
        self.drop = nn.Dropout(recipe.dropout)
        self.mean = copy.deepcopy(network).eval()
        self.second = None if material.guide is None else GuideHeads(network, recipe).to(device)
        self.steps = max(1, len(material.cells) // recipe.batch)
        trained = [network] if self.second is None else [network, self.second]
        self.optimiser, self.schedule = optimiser(trained, recipe, self.steps)
        self.best, self.lowest, self.best_epoch = copy.deepcopy(self.mean.state_dict()), math.inf, 0
        self.epoch, self.done = 0, 0
        self.history: list[dict[str, float]] = []

    @property
    def stale(self) -> bool:
        """The validation cells have not been told any better for `patience` epochs."""
        return bool(self.recipe.patience) and self.epoch - self.best_epoch >= self.recipe.patience

    def one_epoch(self, seed: int, report: Report) -> dict[str, float]:
        self.epoch += 1
        torch.manual_seed(epoch_seed(seed, self.epoch))  # dropout draws from PyTorch's own generator
        generator = torch.Generator(self.device).manual_seed(epoch_seed(seed, self.epoch))
        random = np.random.default_rng((seed, self.epoch))
        self.network.train()
        total = 0.0
        order = order_of(self.material.labels, self.recipe, self.steps, random)
        for chosen in order:
            loss = self._step(chosen, generator, random)
            if not math.isfinite(loss):
                raise CellgateError(f"training: the loss became {loss} in epoch {self.epoch}: lower the learning rate")
            total += loss
            report(self.done / (self.recipe.epochs * self.steps), self.epoch, None)
        figures = {"loss": total / len(order), **self._validate()}
        self.history.append(figures)
        if figures.get("nll", 0.0) <= self.lowest:
            self.best, self.lowest = copy.deepcopy(self.mean.state_dict()), figures.get("nll", 0.0)
            self.best_epoch = self.epoch
        return figures

    def _step(self, chosen: Tensor, generator: torch.Generator, random: np.random.Generator) -> float:
        material, recipe = self.material, self.recipe
        frames = material.cells.take(chosen, self.device)
        target = Target(one_hot(self.labels[chosen.to(self.device)], len(self.loss.weights)))
        if material.guide is None:
            frames = augment(frames, recipe, generator)
        else:
            pictures = material.guide.pictures.take(chosen, self.device)
            frames = augment(torch.cat((frames, pictures), dim=1), recipe, generator, untouched=1)
            frames, pictures = frames[:, :-1], frames[:, -1:]
            measurements = material.guide.measurements[chosen].to(self.device)
            target = replace(target, measurements=measurements, pictures=pictures)
        if material.teacher is not None:
            target = replace(target, teacher=material.teacher.probabilities(frames))
        if recipe.mixup > 0:
            share = random.beta(recipe.mixup, recipe.mixup)
            partner = torch.from_numpy(random.permutation(len(frames))).to(self.device)
            frames, target = frames.lerp(frames[partner], 1 - share), target.blend(partner, share)
        frames = self.front(frames).contiguous(memory_format=torch.channels_last)
        half = recipe.bfloat16 or self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            logits, embedding = self.network(frames)
            if recipe.dropout > 0:
                logits = cast("nn.Module", self.network.head)(self.drop(embedding))
        loss = self.loss(logits.float(), target)
        if self.second is not None:
            loss = loss + self.second(embedding.float(), target)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self.done += 1
        follow(self.mean, self.network, min(recipe.ema, (1 + self.done) / (10 + self.done)))
        return float(loss.item())

    def _validate(self) -> dict[str, float]:
        """Return accuracy and likelihood as they would be after calibration, at the cells' own mix."""
        labels = self.material.validation_labels
        if not len(labels):
            return {}
        logits = predict(self.mean, self.material.validation, self.front, self.device)[0].numpy()
        logits = calibrate(logits, labels, self.loss.effective.cpu().numpy()).natural(logits)
        right = float((logits.argmax(1) == labels).mean())
        return {"accuracy": right, "nll": negative_log_likelihood(logits, labels)}

    def state(self) -> dict[str, object]:
        """Return all of it, as tensors, numbers and text, for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "second": {} if self.second is None else self.second.state_dict(),
            "mean": self.mean.state_dict(),
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "lowest": self.lowest,
            "best_epoch": self.best_epoch,
            "epoch": self.epoch,
            "done": self.done,
            "history": self.history,
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint, where there is one."""
        state = checkpoint.load(self.device)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        if self.second is not None:
            self.second.load_state_dict(state["second"])
        self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.best, self.lowest, self.best_epoch = state["best"], state["lowest"], state["best_epoch"]
        self.epoch, self.done, self.history = state["epoch"], state["done"], state["history"]
