"""Run a bundle on labelled cells and compute its figures."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from engines.backends import Engine, open_engine
from engines.bundle import Bundle, Precision
from engines.cells import Cells
from engines.errors import CellsError, InputError
from engines.evaluation._channels import rename_channels
from engines.evaluation._class_mix_file import check_mix
from engines.evaluation._evaluation import Evaluation, Found, Made, UnknownClass
from engines.evaluation._figures import measure
from engines.evaluation._groups import group_figures
from engines.evaluation._match import match_classes
from engines.evaluation._merge import merge_classes
from engines.evaluation._predict import BATCH, Progressed, check_frames, predict_batches
from engines.evaluation._progress import progress
from engines.evaluation._types import Figures

MAP_POINTS = 4000
"""Most cells that a map of the embedding shows."""

_SEEN_BATCH = 4096
_PACKAGES = ("cellgate", "numpy", "openvino")
Rows = NDArray[np.int64]


def evaluate(
    bundle: Bundle,
    cells: Cells,
    *,
    engine: str = "auto",
    precision: Precision = "fp32",
    threads: int = 0,
    channel_map: Mapping[str, str] | None = None,
    merge: Mapping[str, Sequence[str]] | None = None,
    class_mix: Mapping[str, float] | None = None,
    unseen_only: bool = False,
    groups: bool = False,
    command: str = "",
    quiet: bool = True,
) -> Evaluation:
    """Return what a bundle makes of labelled cells.

    Parameters
    ----------
    bundle, cells
        Classes and channels are matched by name. Cells without a label are left out, those of classes the bundle
        does not know are reported apart.
    engine, precision, threads
        As `engines.backends.open_engine` takes them.
    channel_map
        The cells' channel by the bundle's name for it, where they differ.
    merge, class_mix
        See `measure`. Where the manifest's `training` has a `prior`, a weight for each class, that is the mix the
        probabilities are taken to suppose; else that of the evaluated cells.
    unseen_only
        Leave out cells that training has looked at.
    groups
        Figures of each group the cells name.
    command
        What the user typed, for the report.
    quiet
        Show no progress.

    Raises
    ------
    CellsError, InputError
        The cells have no labels, no class or channel the bundle knows, other counts, or no groups; an option is wrong.
    BundleError, EngineError
        The bundle has no such graph, or the engine fails.
    """
    cells = rename_channels(cells, bundle, channel_map or {})
    channels = check_frames(bundle, cells)
    if merge:
        merge_classes(bundle.classes, merge)
    if class_mix is not None:
        class_mix = check_mix(class_mix, bundle.classes)
    everything = np.arange(len(cells))
    seen = _seen(bundle, cells, channels)
    rows = everything if not unseen_only else everything[~_needed(seen, bundle)]
    if not len(rows):
        raise CellsError(cells.name, "cells", "none that the bundle has not seen", "unseen ones, for --unseen-only")
    matched = match_classes(cells, bundle, rows)
    running = open_engine(bundle, engine, precision=precision, threads=threads, ladder=(BATCH,), mode="throughput")
    try:
        strangers = np.concatenate([everything[:0], *matched.unknown.values()])
        map_rows = _draw(len(matched.known))
        with progress(len(matched.known) + len(strangers), quiet=quiet) as progressed:
            probabilities, embedding = _run(running, cells, matched.known, map_rows, progressed)
            others, _ = _run(running, cells, strangers, everything[:0], progressed)
        made = _made(running, cells, command)
    finally:
        running.close()
    prior = _prior(bundle)
    found = measure(probabilities, matched.labels, bundle.classes, class_mix=class_mix, prior=prior, merge=merge)
    own = None if cells.groups is None else cells.groups[matched.known]
    right = probabilities.argmax(axis=1) == matched.labels
    present = set(matched.labels.tolist())
    report = Found(
        made=made,
        cells_read=len(cells),
        skipped=dict(cells.skipped),
        unlabelled=matched.unlabelled,
        left_out_seen=len(cells) - len(rows),
        seen_cells=None if seen is None else int(seen[matched.known].sum()),
        classes_without_cells=[name for k, name in enumerate(bundle.classes) if k not in present],
        unknown_classes=_unknown(matched.unknown, others, bundle.classes, found),
        figures=found,
        groups=group_figures(own, right, matched.labels, cells.name) if groups else None,
    )
    return Evaluation(report, bundle, cells, matched.known, matched.labels, probabilities, map_rows, embedding)


def _seen(bundle: Bundle, cells: Cells, channels: list[int]) -> NDArray[np.bool_] | None:
    if bundle.manifest.seen is None:
        return None
    starts = range(0, len(cells), _SEEN_BATCH)
    parts = [bundle.seen(cells.frames[start : start + _SEEN_BATCH][:, channels]) for start in starts]
    return np.concatenate([np.zeros(0, np.bool_), *parts])


def _needed(seen: NDArray[np.bool_] | None, bundle: Bundle) -> NDArray[np.bool_]:
    if seen is None:
        raise InputError(bundle.path, "seen", "no fingerprints", "those of the cells it was trained on, to leave out")
    return seen


def _draw(n: int) -> Rows:
    """Return at most `MAP_POINTS` of n indices, ascending; the same ones every time."""
    if n <= MAP_POINTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, MAP_POINTS, replace=False))


def _run(
    engine: Engine, cells: Cells, rows: Rows, embedded: Rows, progressed: Progressed
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the probabilities of these rows, and the embedding of those among them whose positions are `embedded`."""
    spec = engine.bundle.manifest
    probabilities = np.empty((len(rows), len(spec.classes)), np.float32)
    embedding = np.empty((len(embedded), spec.outputs.embedding), np.float32)
    start = 0
    for part, answer in predict_batches(engine, cells, rows, progressed=progressed):
        stop = start + len(part)
        probabilities[start:stop] = answer.probabilities
        low, high = np.searchsorted(embedded, [start, stop])
        embedding[low:high] = answer.embedding[embedded[low:high] - start]
        start = stop
    return probabilities, embedding


def _prior(bundle: Bundle) -> dict[str, float] | None:
    """Return the mix that the manifest says its probabilities suppose, None where it does not say."""
    stated = bundle.manifest.training.get("prior")
    if stated is None:
        return None
    return check_mix(stated, bundle.classes, bundle.path / "manifest.json")


def _unknown(
    rows: Mapping[str, Rows], probabilities: NDArray[np.float32], classes: tuple[str, ...], found: Figures
) -> list[UnknownClass]:
    classed, start = [], 0
    for name, where in rows.items():
        part = probabilities[start : start + len(where)]
        start += len(where)
        confidence = part.max(axis=1).astype(np.float64)
        called = np.bincount(part.argmax(axis=1), minlength=len(classes))
        classed.append(
            UnknownClass(
                name=name,
                cells=len(where),
                mean_confidence=float(confidence.mean()),
                called={classes[k]: int(called[k]) for k in np.argsort(-called, kind="stable") if called[k]},
                refused={
                    f"{s.wanted_error:g}": None if s.threshold is None else float((confidence < s.threshold).mean())
                    for s in found.abstention.suggested
                },
            )
        )
    return classed


def _made(engine: Engine, cells: Cells, command: str) -> Made:
    return Made(
        bundle=engine.bundle.manifest.name,
        bundle_sha256=engine.bundle.sha256,
        cells=PurePath(cells.name).name or cells.name,
        engine=engine.name,
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=command,
        versions={"python": platform.python_version()} | {name: version(name) for name in _PACKAGES},
    )
