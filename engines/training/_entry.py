"""The trainer's front door, which opens without PyTorch and says so when it is needed."""

from __future__ import annotations

import importlib
from pathlib import Path

from engines.bundle import Bundle
from engines.cells._cells import Cells
from engines.errors import MissingExtraError
from engines.training._plan import Plan


def train(
    cells: Cells,
    *,
    out: str | Path,
    plan: Plan | None = None,
    resume: bool = False,
    command: str = "",
    quiet: bool = False,
) -> Bundle:
    """Train a network on labelled cells and write the bundle.

    The cells are split by class into training, validation (picks the epoch, fits the calibration) and test cells;
    the bundle's `metrics` are of the test cells alone, and its fingerprints are of all the others.

    Parameters
    ----------
    cells
        Labelled; those without a label are left out.
    out
        Directory of the bundle; its last part becomes the bundle's name. Files of the same names are replaced.
    plan
        The network, its channels, the recipe, the seed … (`engines.training.Plan`); None for `Plan()`. The same
        plan on the same machine with the same number of threads gives the same weights.
    resume
        Go on from where an interrupted run of the same plan was; the result is the same as without interruption.
    command
        What the user typed, for the manifest.
    quiet
        Show no progress.

    Returns
    -------
    The bundle, loaded back from `out`.

    Raises
    ------
    MissingExtraError
        PyTorch or onnx is not installed.
    InputError, CellsError, BundleError
        An option, the cells, or a bundle to start from or follow cannot be trained with.
    """
    require_extra()
    from engines.training._run import run

    return run(cells, Plan() if plan is None else plan, Path(out), resume=resume, command=command, quiet=quiet)


def require_extra() -> None:
    """Raise `MissingExtraError` unless what training needs can be imported."""
    for module in ("torch", "onnx"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingExtraError("training", "train") from error
