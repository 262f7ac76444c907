"""Write a classifier's scores into a copy of an RT-DC file, by the format's convention."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engines.cells.hdf5._events import event_count, events_group, scalar_features
from engines.cells.hdf5._guard import guard
from engines.cells.hdf5._h5file import linked, load_h5py, member, names, open_h5, rehearse_h5
from engines.cells.hdf5._names import score_names
from engines.errors import CellsError, InputError
from engines.h5_writing import writing_h5

_FEATURE = "writing RT-DC files"
_OURS = re.compile(r"ml_score_[a-z0-9]{3}|ml_class")
_LOG = "cellgate-scores"
_MAX_CLASSES = 1000


def write_rtdc_scores(
    source: str | Path,
    out: str | Path,
    probabilities: ArrayLike,
    classes: Sequence[str],
    predicted: ArrayLike | None = None,
    *,
    provenance: Mapping[str, str | int | float] | None = None,
    replace: bool = False,
    overwrite: bool = False,
) -> dict[str, str]:
    """Write a copy of an RT-DC file with the features `ml_score_xxx`, one per class, and `ml_class`.

    `ml_class` follows the format's convention: an index into the names `ml_score_xxx` **in alphabetical order**,
    -1 where an event has no class. What each name stands for, the time and `provenance` go into the log
    `cellgate-scores` and the names also into the attributes `user:ml_score_xxx`. The source is only read; `out`
    appears complete or not at all.

    Parameters
    ----------
    source, out
        The file and the copy; not the same.
    probabilities
        `(events, classes)`, from 0 to 1; a row of NaN for an event that was not classified.
    classes
        A name per column.
    predicted
        `(events,)` column that each event was given, -1 for none; the largest probability unless said.
    provenance
        Where the scores are from, by name: bundle, its hash, dataset.
    replace
        Leave out scores that the source already has, which is an error otherwise.
    overwrite
        Write over an existing `out`.

    Returns
    -------
    dict
        Name of the feature by class.

    Raises
    ------
    InputError
        Where arrays and classes do not fit each other or the number of events, or `out` is not to be written.
    CellsError
        Where the source is no readable RT-DC file.
    MissingExtraError
        Where h5py or hdf5plugin is not installed.
    """
    source, out = Path(source), Path(out)
    scores, chosen = _check(out, probabilities, classes, predicted)
    features = tuple(f"ml_score_{name}" for name in score_names(classes))
    rehearse_h5("_rtdc:has_events", source, _FEATURE)
    with (
        guard(source, "file"),
        open_h5(source, _FEATURE) as file,
    ):  # read-only first: nothing is written for a source that is none
        _check_source(source, file, len(scores), replace=replace)
    if out.exists() and (out.samefile(source) or not overwrite):
        raise InputError("scores", "out", str(out), "a file that does not exist yet, and never the source")
    rank = np.argsort(np.argsort(features))  # class -> place of its feature in alphabetical order
    ml_class = np.where(chosen >= 0, rank[np.maximum(chosen, 0)], -1).astype(np.float64)
    log = {
        "software": f"cellgate {version('cellgate')}",
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": source.name,
        "scores": dict(zip(features, classes, strict=True)),
        "ml_class": {str(int(rank[at])): name for at, name in enumerate(classes)},
        "provenance": dict(provenance or {}),
    }
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with guard(out, "file", "a folder that can be written to"):
            shutil.copyfile(source, part)
        with (
            guard(out, "events", "a sound file, and room for the scores"),
            writing_h5(load_h5py(_FEATURE), part, "r+") as (file, _),
        ):
            _write(source, file, dict(zip(features, scores.T, strict=True)), ml_class, log)
        with guard(out, "file", "a file that can be written"):
            with part.open("rb") as stream:
                os.fsync(stream.fileno())
            part.replace(out)
    finally:
        with suppress(OSError):  # a disk that is read-only says so, even where there is nothing to remove
            part.unlink(missing_ok=True)
    return dict(zip(classes, features, strict=True))


def _check(
    out: Path, probabilities: ArrayLike, classes: Sequence[str], predicted: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    count = len(classes)
    if not 1 <= count <= _MAX_CLASSES or len(set(classes)) != count:
        raise InputError(out, "classes", tuple(classes), f"1 to {_MAX_CLASSES} distinct names")
    scores = np.asarray(probabilities, np.float64)
    if scores.ndim != 2 or scores.shape[1] != count:
        raise InputError(out, "probabilities", f"shape {scores.shape}", f"(events, {count})")
    scored = ~np.isnan(scores).all(axis=1)
    if not ((scores[scored] >= 0) & (scores[scored] <= 1)).all():
        raise InputError(out, "probabilities", "values outside 0 to 1", "probabilities, or rows of NaN")
    if predicted is None:
        best = np.where(scored, np.argmax(np.where(np.isnan(scores), -1.0, scores), axis=1), -1)
        return scores, best.astype(np.int64)
    chosen = np.asarray(predicted)
    if chosen.shape != (len(scores),) or chosen.dtype.kind not in "iu":
        raise InputError(out, "predicted", f"{chosen.dtype} {chosen.shape}", f"integers of shape ({len(scores)},)")
    if chosen.size and not -1 <= int(chosen.min()) <= int(chosen.max()) < count:
        raise InputError(out, "predicted", f"{chosen.min()} to {chosen.max()}", f"-1 to {count - 1}")
    return scores, chosen.astype(np.int64)


def _check_source(source: Path, file: Any, scored: int, *, replace: bool) -> None:
    events = events_group(source, file)
    scalars = scalar_features(source, events)
    count = event_count(scalars)
    if count is None:
        raise CellsError(source, "events", "no scalar features", "an RT-DC file")
    if scored != count:
        raise InputError("scores", "probabilities", f"{scored} rows", f"{count}, one per event of {source}")
    with guard(source, "events"):
        old = [name for name in (*names(events), *linked(events)) if _OURS.fullmatch(name)]
    if old and not replace:
        raise InputError(source, "events", f"{', '.join(old)} already", "no scores, or leave to replace them")


def _write(
    source: Path, file: Any, scores: Mapping[str, NDArray[np.float64]], ml_class: NDArray[Any], log: Mapping[str, Any]
) -> None:
    events = events_group(source, file)
    for name in [*names(events), *linked(events)]:
        if _OURS.fullmatch(name):
            del events[name]
    for name in [name for name in file.attrs if name.startswith("user:ml_score_")]:
        del file.attrs[name]
    packing: dict[str, Any] = {"compression": "gzip", "shuffle": True, "fletcher32": True} if len(ml_class) else {}
    for name, values in (*scores.items(), ("ml_class", ml_class)):
        events.create_dataset(name, data=values, **packing)
    for name, label in log["scores"].items():
        file.attrs[f"user:{name}"] = label
    # The chain of programs that have written the file, as the format keeps it.
    chain = str(file.attrs.get("setup:software version", "")).split(" | ")
    file.attrs["setup:software version"] = " | ".join([*filter(None, chain), log["software"]])
    logs = member(source, file, "logs")
    logs = file.create_group("logs") if logs is None else logs
    if _LOG in [*names(logs), *linked(logs)]:
        del logs[_LOG]
    lines = [line.encode() for line in json.dumps(log, indent=2).splitlines()]
    logs.create_dataset(_LOG, data=np.array(lines, dtype=f"S{max(map(len, lines))}"))
