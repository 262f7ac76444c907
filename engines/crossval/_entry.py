"""Cross-validate: train and test again and again, so that every figure comes with how far it can be trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engines.cells import Cells
from engines.crossval._run import run_trials
from engines.crossval._scheme import Scheme, Trial, trials
from engines.crossval._summary import Asked, summary
from engines.crossval._trial import CLASSICAL
from engines.errors import InputError
from engines.evaluation import merge_classes, read_class_mix
from engines.training import Plan
from engines.training._check import Labelled, check, seen_by
from engines.training._entry import require_extra
from engines.training._merge import merge
from engines.training._sha256 import sha256_of, sha256_of_task


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
    asked = asked or Asked()
    if isinstance(asked.class_mix, Path):  # now, and not after an hour of training
        asked = replace(asked, class_mix=read_class_mix(asked.class_mix, labelled.classes))
    if asked.merge:
        merge_classes(labelled.classes, asked.merge)
    poses = symmetries or (plan.recipe.symmetries,)
    chosen = trials(labelled.labels, labelled.groups, scheme, plan.seed, labelled.classes)
    _refuse_leaks(labelled, chosen, plan)
    data = sha256_of(cells) + sha256_of_task(labelled)
    found = run_trials(labelled, data, chosen, plan, poses, Path(out), jobs=jobs, quiet=quiet)
    return summary(found, chosen, labelled.labels, labelled.classes, poses, asked, plan)


def _refuse_leaks(labelled: Labelled, chosen: list[Trial], plan: Plan) -> None:
    """Refuse a bundle to start from or follow that was trained on cells a trial is tested on."""
    for option, bundle in (("init-from", plan.init_from), ("teacher", plan.teacher)):
        if bundle is None:
            continue
        seen = max(int(seen_by(bundle, labelled, trial.parts.test).sum()) for trial in chosen)
        if seen:
            found = f"{bundle.manifest.name}, which was trained on {seen} of a trial's test cells"
            raise InputError("crossval", option, found, "a bundle that was trained on other cells")
