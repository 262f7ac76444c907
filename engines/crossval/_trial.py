"""Run one trial: train on its training cells, answer for its test cells."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engines.crossval._scheme import Trial
from engines.training._check import Labelled
from engines.training._checkpoint import Checkpoint
from engines.training._plan import Plan

if TYPE_CHECKING:  # the command line starts without PyTorch, and the baseline does without it
    from engines.training._train import Report

CLASSICAL = "classical"


@dataclass(frozen=True)
class Answer:
    """What a trial's classifier says of its test cells.

    Attributes
    ----------
    cells
        `(m,)` indices of the test cells.
    probabilities
        `(S, m, K)` float32: for each number of symmetries asked about (`Recipe.symmetries`) the probabilities.
    """

    cells: NDArray[np.int64]
    probabilities: NDArray[np.float32]


def answer(
    labelled: Labelled,
    trial: Trial,
    plan: Plan,
    symmetries: tuple[int, ...],
    checkpoint: Checkpoint,
    report: Report = lambda _share, _epoch, _figures: None,
) -> Answer:
    """Train a network, or the classical baseline, and ask it; PyTorch's seed and threads are the caller's."""
    test = trial.parts.test
    frames = labelled.take(test)
    if plan.network == CLASSICAL:
        from engines.classical import fit_classical

        train = np.concatenate((trial.parts.train, trial.parts.validation))
        fitted = fit_classical(labelled.take(train), labelled.labels[train], labelled.classes, plan.seed)
        return Answer(test, fitted.probabilities(frames)[None].astype(np.float32))
    from engines.training._export import classify
    from engines.training._fit_cells import fit_cells

    classifier = fit_cells(labelled, trial.parts, plan, checkpoint=checkpoint, report=report).classifier
    found = []
    for poses in symmetries:
        classifier.network.symmetries = poses
        found.append(classify(classifier, frames)[0])
    return Answer(test, np.stack(found))


def identity(data: str, plan: Plan, trial: Trial, symmetries: tuple[int, ...]) -> str:
    """Return a SHA-256 of all that an answer depends on."""
    parts = [hashlib.sha256(part.astype("<i8").tobytes()).hexdigest() for part in vars(trial.parts).values()]
    facts = {"data": data, "plan": plan.facts(), "parts": parts, "symmetries": symmetries}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def save(found: Answer, path: Path, name: str) -> None:
    """Keep an answer on disk; the file is whole or not there."""
    part = path.with_suffix(".part")
    with part.open("wb") as stream:
        np.savez(stream, cells=found.cells, probabilities=found.probabilities, identity=np.array(name))
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def load(path: Path, name: str) -> Answer | None:
    """Return the answer kept on disk, None where there is none of this identity."""
    try:
        # Opened here: NumPy leaves a file that is no archive open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            if str(kept["identity"]) != name:
                return None
            return Answer(kept["cells"], kept["probabilities"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error, zipfile.BadZipFile):
        return None
