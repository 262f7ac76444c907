"""The trainer's front door, which opens without PyTorch and says so when it is needed."""

from __future__ import annotations

import importlib
from pathlib import Path

from engines.bundle import Bundle
from engines.cells._cells import Cells
from engines.errors import MissingExtraError
from engines.training._recipe import Recipe


def train(
    cells: Cells,
    *,
    out: str | Path,
    network: str = "deepflow",
    channels: tuple[str, ...] | None = None,
    guide: str | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    threads: int | None = None,
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
    network
        One of `engines.networks.NETWORKS`.
    channels
        Which of the cells' channels, in which order; None for all but the guide.
    guide
        A channel the network is not shown but learns to foretell while it is trained (`_guide` says why); None
        for none. The bundle does not need it.
    recipe
        Hyperparameters; None for `Recipe()`.
    seed
        Of the split, the first weights, the order and the augmentation. The same seed on the same machine with the
        same number of threads gives the same weights.
    threads
        Of PyTorch, while training; None leaves the number as it is.
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
    InputError, CellsError
        An option, or the cells, cannot be trained with.
    """
    require_extra()
    from engines.training._run import run

    return run(
        cells,
        out=Path(out),
        network=network,
        channels=channels,
        guide=guide,
        recipe=Recipe() if recipe is None else recipe,
        seed=seed,
        threads=threads,
        command=command,
        quiet=quiet,
    )


def require_extra() -> None:
    """Raise `MissingExtraError` unless what training needs can be imported."""
    for module in ("torch", "onnx"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingExtraError("training", "train") from error
