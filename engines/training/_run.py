"""One training run from cells to bundle: split, scale, fit, calibrate, export, test, write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from engines import networks
from engines.bundle import Bundle, InputSpec, OutputSpec, fingerprints, write_bundle
from engines.cells._cells import Cells
from engines.errors import InputError
from engines.training import _measure
from engines.training._calibrate import Calibration, calibrate
from engines.training._check import Labelled, check
from engines.training._export import OPSET, Classifier, classify, export
from engines.training._guide import guide_targets
from engines.training._parity import parity
from engines.training._preprocess import Scaling, fit_scaling, standardise
from engines.training._progress import progress
from engines.training._provenance import provenance
from engines.training._recipe import Recipe
from engines.training._score import score
from engines.training._split import Indices, Split, split
from engines.training._train import Fitted, Report, fit, predict

# The bundle's name is its directory's; the pattern is the one `load_bundle` holds names to.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def run(
    cells: Cells,
    *,
    out: Path,
    network: str,
    channels: tuple[str, ...] | None,
    guide: str | None,
    recipe: Recipe,
    seed: int,
    threads: int | None,
    command: str,
    quiet: bool,
) -> Bundle:
    """Do what `engines.training.train` says."""
    labelled = check(cells, channels, guide)
    _prepare(out)
    parts = _without_twins(labelled, split(labelled.labels, validation=recipe.validation, test=recipe.test, seed=seed))
    shape = (len(labelled.channels), *labelled.frames.shape[2:])
    scaling = fit_scaling(labelled.frames[parts.train])
    with _torch(seed, threads):
        fresh = networks.create(network, shape[0], len(labelled.classes), *shape[1:])
        with progress(recipe.epochs, quiet=quiet) as report:
            fitted = _fit(fresh, labelled, parts, scaling, recipe, seed, report)
        calibration = _calibrate(fitted, labelled, parts.validation, scaling, recipe)
        classifier = Classifier(fitted.network, scaling, calibration, recipe.clip, *shape[1:])
        model = export(classifier, labelled.dtype)
        metrics = _metrics(classifier, model, labelled, parts.test)
        training = provenance(cells, network, guide, fitted, parts, scaling, calibration, recipe, seed, command)
    return write_bundle(
        out,
        name=out.resolve().name,
        classes=labelled.classes,
        inputs=InputSpec(labelled.channels, labelled.dtype, *shape[1:]),
        outputs=OutputSpec(int(fresh.embedding), _measure.names(labelled.channels)),  # type: ignore[arg-type]
        graphs={"fp32": (model, OPSET)},
        seen=fingerprints(labelled.frames[parts.looked_at]),
        training=training,
        metrics=metrics,
    )


def _prepare(out: Path) -> None:
    """Find out now, and not after an hour of training, that a bundle cannot be written there."""
    if not _NAME.fullmatch(out.resolve().name):
        raise InputError("training", "out", out.name, "a name of letters, digits, '.', '_', '-', at most 64")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("training", "out", error.strerror or str(error), "a directory that can be written") from error


def _without_twins(labelled: Labelled, parts: Split) -> Split:
    """Leave test cells out whose frames are, byte for byte, among those looked at: they would test memory."""
    prints = fingerprints(labelled.frames)
    return replace(parts, test=parts.test[~np.isin(prints[parts.test], prints[parts.looked_at])])


def _fit(
    network: nn.Module, labelled: Labelled, parts: Split, scaling: Scaling, recipe: Recipe, seed: int, report: Report
) -> Fitted:
    def part(where: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        frames = standardise(labelled.frames[where], scaling, recipe.clip)
        return frames, torch.from_numpy(labelled.labels[where])

    guide = None if labelled.guide is None else guide_targets(labelled.guide[parts.train])
    return fit(network, part(parts.train), part(parts.validation), recipe, seed=seed, guide=guide, report=report)


def _calibrate(
    fitted: Fitted, labelled: Labelled, validation: Indices, scaling: Scaling, recipe: Recipe
) -> Calibration:
    logits = predict(fitted.network, standardise(labelled.frames[validation], scaling, recipe.clip)).numpy()
    return calibrate(
        logits, labelled.labels[validation], fitted.class_weights, prior_correction=recipe.prior_correction
    )


def _metrics(classifier: Classifier, model: bytes, labelled: Labelled, test: Indices) -> dict[str, object]:
    """Score the module on the test cells, and compare the exported graph with it on the same cells."""
    if not len(test):
        return {}
    frames = labelled.frames[test]
    outputs = classify(classifier, frames)
    return {
        "test": score(outputs[0], labelled.labels[test], labelled.classes),
        "parity": parity(model, frames, outputs),
    }


@contextmanager
def _torch(seed: int, threads: int | None) -> Iterator[None]:
    """Seed PyTorch and set its threads, and leave both as they were."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            if threads is not None:
                torch.set_num_threads(threads)
            yield
        finally:
            torch.set_num_threads(before)
