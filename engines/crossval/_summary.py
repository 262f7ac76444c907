"""What a cross-validation found: figures per trial, over all, by symmetries and by fraction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.crossval._scheme import Trial
from engines.crossval._trial import CLASSICAL, Answer
from engines.evaluation import figures, read_class_mix
from engines.training._calibrate import stated_mix
from engines.training._plan import Plan

HEADLINES = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll")


@dataclass(frozen=True)
class Asked:
    """What figures are wanted besides the usual: see `engines.evaluation.figures`. A class mix may be a file's."""

    class_mix: Mapping[str, float] | Path | None = None
    merge: Mapping[str, Sequence[str]] | None = None


def summary(
    found: dict[str, Answer],
    trials: list[Trial],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    symmetries: tuple[int, ...],
    asked: Asked,
    plan: Plan,
) -> dict[str, object]:
    """Return JSON-able figures.

    Returns
    -------
    `trials`: per trial its name, fraction, numbers of cells and figures. `pooled`: the figures of all answers of the
    whole trials together, where folds or groups answer for each cell once. `mean`: mean, standard deviation and the
    half-width of the 95 % interval of the mean over those trials of the headline figures. `by_symmetries`: pooled
    headline figures for each number of test-time symmetries asked about. `learning_curve`: mean and standard
    deviation by fraction, where there are several.
    """
    if isinstance(asked.class_mix, Path):
        asked = replace(asked, class_mix=read_class_mix(asked.class_mix, classes))
    whole = [trial for trial in trials if trial.fraction == max(t.fraction for t in trials)]
    each = {trial.name: _figures(found, [trial], labels, classes, 0, asked, plan) for trial in trials}
    pooled = _figures(found, whole, labels, classes, 0, asked, plan)
    return {
        "classes": list(classes),
        "trials": [_trial(trial, each[trial.name]) for trial in trials],
        "pooled": pooled,
        "mean": _mean([each[trial.name] for trial in whole]),
        "by_symmetries": {
            str(poses): _headlines(_figures(found, whole, labels, classes, place, asked, plan))
            for place, poses in enumerate(symmetries)
            if place < next(iter(found.values())).probabilities.shape[0]
        },
        "learning_curve": [
            {
                "fraction": fraction,
                "cells": float(np.mean([len(t.parts.train) for t in trials if t.fraction == fraction])),
                **_mean([each[t.name] for t in trials if t.fraction == fraction]),
            }
            for fraction in sorted({trial.fraction for trial in trials})
        ],
    }


def _figures(
    found: dict[str, Answer],
    chosen: list[Trial],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    place: int,
    asked: Asked,
    plan: Plan,
) -> dict[str, object]:
    cells = np.concatenate([found[trial.name].cells for trial in chosen])
    probabilities = np.concatenate([found[trial.name].probabilities[place] for trial in chosen])
    mix = None if isinstance(asked.class_mix, Path) else asked.class_mix
    prior = None if mix is None else _prior(chosen, labels, classes, plan)
    return figures(probabilities, labels[cells], classes, class_mix=mix, prior=prior, merge=asked.merge)


def _prior(
    chosen: list[Trial], labels: NDArray[np.int64], classes: tuple[str, ...], plan: Plan
) -> dict[str, float] | None:
    """Return the class mix the answers take for granted, over all trials; None for the labels' own (the baseline)."""
    if plan.network == CLASSICAL:
        return None
    mix = np.zeros(len(classes))
    for trial in chosen:
        shares = np.bincount(labels[trial.parts.train], minlength=len(classes)) / len(trial.parts.train)
        stated = stated_mix(shares, plan.recipe.prior_balance, plan.recipe.prior_floor)
        mix += len(trial.parts.test) * stated
    return dict(zip(classes, (mix / mix.sum()).tolist(), strict=True))


def _trial(trial: Trial, found: dict[str, object]) -> dict[str, object]:
    parts = trial.parts
    return {
        "name": trial.name,
        "fraction": trial.fraction,
        "train": len(parts.train),
        "validation": len(parts.validation),
        "test": len(parts.test),
        **_headlines(found),
        "confusion": found["confusion"],
    }


def _headlines(found: dict[str, object]) -> dict[str, object]:
    kept = {name: found[name] for name in HEADLINES}
    if found.get("at_class_mix") is not None:
        kept["at_class_mix"] = found["at_class_mix"]
    return kept


def _mean(each: list[dict[str, object]]) -> dict[str, object]:
    table = {name: np.array([float(str(figure[name])) for figure in each]) for name in HEADLINES}
    return {
        name: {
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
            # 1.96 standard errors. Folds share training cells, which makes it a little too narrow.
            "half_width_95": float(1.96 * values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None,
        }
        for name, values in table.items()
    }
