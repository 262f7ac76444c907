"""Cross-validate: train and test again and again, so that every figure comes with how far it can be trusted."""

from __future__ import annotations

from pathlib import Path

from engines.cells import Cells
from engines.crossval._run import run_trials
from engines.crossval._scheme import Scheme, trials
from engines.crossval._summary import Asked, summary
from engines.crossval._trial import CLASSICAL
from engines.errors import InputError
from engines.training import Plan
from engines.training._check import check
from engines.training._entry import require_extra
from engines.training._merge import merge
from engines.training._sha256 import sha256_of


def crossval(
    cells: Cells,
    *,
    out: str | Path,
    scheme: Scheme | None = None,
    plan: Plan | None = None,
    symmetries: tuple[int, ...] = (),
    asked: Asked | None = None,
    jobs: int = 1,
    quiet: bool = False,
) -> dict[str, object]:
    """Cross-validate a network, or the classical baseline, on labelled cells.

    Parameters
    ----------
    cells
        Labelled; those without a label are left out.
    out
        Directory for the answers of each trial (`.npz`: `cells`, `probabilities`), from which an interrupted
        cross-validation goes on.
    scheme
        How cells are parted; None for five folds.
    plan
        As for `engines.training.train`; the network may be `classical`. Shares of validation and test cells are the
        scheme's.
    symmetries
        Numbers of test-time symmetries to compare (`Recipe.symmetries`); none for the recipe's alone. The first one's
        figures are the main ones.
    asked
        A class mix and merged classes to state figures for.
    jobs
        Trials at a time, each in a process of its own.

    Returns
    -------
    Figures, see `summary`.

    Raises
    ------
    InputError, CellsError
        The cells or an option cannot be used.
    MissingExtraError
        PyTorch, or for the baseline scikit-learn, is not installed.
    """
    scheme, plan = scheme or Scheme(), plan or Plan()
    if plan.network != CLASSICAL:
        require_extra()
    if jobs < 1:
        raise InputError("crossval", "jobs", jobs, "1 or more")
    cells = merge(cells, plan.merges)
    labelled = check(cells, plan.channels, plan.guide)
    poses = symmetries or (plan.recipe.symmetries,)
    chosen = trials(labelled.labels, labelled.groups, scheme, plan.seed)
    found = run_trials(labelled, sha256_of(cells), chosen, plan, poses, Path(out), jobs=jobs, quiet=quiet)
    return summary(found, chosen, labelled.labels, labelled.classes, poses, asked or Asked())
