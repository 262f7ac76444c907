"""From checked cells and a split to a calibrated classifier: scale, fit, calibrate, learn what is familiar."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engines import networks
from engines.training._calibrate import Calibration, calibrate
from engines.training._check import Labelled
from engines.training._checkpoint import Checkpoint
from engines.training._device import device_of
from engines.training._draw import epoch_seed
from engines.training._ensemble import Ensemble
from engines.training._export import Classifier
from engines.training._guide import Guide
from engines.training._normalise import normaliser
from engines.training._plan import Plan
from engines.training._pool import Pool
from engines.training._preprocess import Scaling, fit_scaling
from engines.training._split import Split
from engines.training._symmetric import Symmetric
from engines.training._teacher import Teacher
from engines.training._train import Fitted, Material, Report, fit, predict
from engines.training._unfamiliar import Unfamiliarity
from engines.training._weights import start_from

# What is learned from the training cells besides the network does not get better with more of them.
_ENOUGH = 16_384
# Seeds of an ensemble's further members are those of epochs that no run has.
_MEMBERS = 1 << 20


@dataclass(frozen=True)
class Trained:
    """A classifier in evaluation mode on the processor, its network, and how its members came about.

    `class_mix` is `(K,)`: the shares of the `classes` that its probabilities take for granted.
    """

    classifier: Classifier
    network: nn.Module
    fitted: list[Fitted]
    scaling: Scaling
    calibration: Calibration
    classes: tuple[str, ...]
    class_mix: NDArray[np.float64]


def fit_cells(
    labelled: Labelled,
    parts: Split,
    plan: Plan,
    *,
    checkpoint: Checkpoint | None = None,
    report: Report = lambda _share, _epoch, _figures: None,
) -> Trained:
    """Fit, on the training part, a network that is picked and calibrated by the validation part.

    Raises
    ------
    InputError
        The network does not work on frames of this size, or a bundle to start from or follow does not suit.
    """
    recipe, labels = plan.recipe, labelled.labels
    size = labelled.frames.shape[2], labelled.frames.shape[3]
    scaling = fit_scaling(labelled.take(_enough(parts.train)))
    train = Pool(labelled.frames, labelled.shown, parts.train, scaling, recipe.clip)
    validation = replace(train, where=parts.validation)
    known = replace(train, where=_enough(parts.train))
    front = normaliser(recipe.normalise, known)
    shares = np.bincount(labels[parts.train], minlength=len(labelled.classes)) / len(parts.train)
    class_mix = dict(zip(labelled.classes, shares.tolist(), strict=True))
    teacher = None
    if plan.teacher is not None:
        half = recipe.bfloat16
        teacher = Teacher.of(plan.teacher, labelled.channels, class_mix, scaling, bfloat16=half)
    material = Material(
        train,
        torch.from_numpy(labels[parts.train]),
        validation,
        labels[parts.validation],
        front,
        _guide(labelled, parts, plan),
        teacher,
    )
    fitted = [_member(number, labelled, material, plan, checkpoint, report) for number in range(recipe.members)]
    network = fitted[0].network if len(fitted) == 1 else Ensemble([member.network for member in fitted]).eval()
    front = front.cpu()
    asked = Symmetric(network, recipe.symmetries).eval()
    logits, apart = predict(asked, validation, front)
    calibration = calibrate(
        logits.numpy(),
        labels[parts.validation],
        fitted[0].class_weights,
        shares=shares,
        prior_balance=recipe.prior_balance,
        prior_floor=recipe.prior_floor,
    )
    _, embedding = predict(asked, known, front)
    unfamiliarity = Unfamiliarity(embedding.numpy(), labels[known.where], apart.numpy())
    classifier = Classifier(
        network, front, scaling, calibration, unfamiliarity, recipe.clip, *size, symmetries=recipe.symmetries
    )
    mix = shares * np.exp(calibration.towards)
    return Trained(classifier, network, fitted, scaling, calibration, labelled.classes, mix)


def _member(
    number: int, labelled: Labelled, material: Material, plan: Plan, checkpoint: Checkpoint | None, report: Report
) -> Fitted:
    """Train one network of an ensemble, or the only one, from first weights and an order of its own."""
    seed = plan.seed if number == 0 else epoch_seed(plan.seed, _MEMBERS + number)
    torch.manual_seed(seed)
    size = labelled.frames.shape[2], labelled.frames.shape[3]
    network = networks.create(plan.network, len(labelled.channels), len(labelled.classes), *size)
    if plan.init_from is not None:
        start_from(network, plan.network, plan.init_from)
    count = plan.recipe.members

    def report_part(share: float, epoch: int, figures: dict[str, float] | None) -> None:
        report((number + share) / count, epoch, figures)

    own = None if checkpoint is None else checkpoint.part(number)
    device = device_of(plan.device)
    return fit(network, material, plan.recipe, seed=seed, device=device, checkpoint=own, report=report_part)


def _guide(labelled: Labelled, parts: Split, plan: Plan) -> Guide | None:
    if labelled.guide is None:
        return None
    return Guide.of(labelled.frames, labelled.guide, parts.train, plan.recipe.clip)


def _enough(where: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all of `where`, or as many as say enough, evenly spaced."""
    if len(where) <= _ENOUGH:
        return where
    return where[np.linspace(0, len(where) - 1, _ENOUGH).astype(np.int64)]
