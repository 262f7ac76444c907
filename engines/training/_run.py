"""One training run from cells to bundle: split, scale, fit, calibrate, export, test, write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TypedDict, cast

import numpy as np
import torch
from numpy.typing import NDArray

from engines.bundle import Bundle, InputSpec, OutputSpec, Precision, write_bundle
from engines.cells._cells import Cells
from engines.errors import EngineError, InputError
from engines.evaluation import figures
from engines.quantise import add_int8
from engines.training import _measure, _unfamiliar
from engines.training._check import Labelled, check, seen_by
from engines.training._checkpoint import NAME, Checkpoint, identity_of
from engines.training._export import OPSET, Classifier, classify, export
from engines.training._fit_cells import fit_cells
from engines.training._heap import keep_freed_memory
from engines.training._merge import merge
from engines.training._parity import parity
from engines.training._plan import Plan
from engines.training._progress import progress
from engines.training._provenance import provenance
from engines.training._sha256 import sha256_of, sha256_of_task
from engines.training._split import Split, split
from engines.training._weights import pack
from engines.verify import Material

# The bundle's name is its directory's; the pattern is the one `load_bundle` holds names to.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def run(cells: Cells, plan: Plan, out: Path, *, resume: bool, command: str, quiet: bool) -> Bundle:
    """Do what `engines.training.train` says."""
    cells = merge(cells, plan.merges)
    labelled = check(cells, plan.channels, plan.guide)
    _prepare(out)
    recipe = plan.recipe
    groups = labelled.groups if plan.keep_groups else None
    parts = split(
        labelled.labels,
        validation=recipe.validation,
        test=recipe.test,
        seed=plan.seed,
        groups=groups,
        classes=labelled.classes,
    )
    parts = _without_twins(labelled, parts, plan)
    data = sha256_of(cells)
    checkpoint = Checkpoint(
        out / NAME, identity_of({"data": data, "task": sha256_of_task(labelled), **plan.facts()}), resume
    )
    with settings(plan):
        with progress(recipe.epochs, quiet=quiet) as report:
            trained = fit_cells(labelled, parts, plan, checkpoint=checkpoint, report=report)
        model = export(trained.classifier, labelled.dtype)
        metrics = _metrics(trained.classifier, model, labelled, parts.test)
    contents = _Contents(
        name=out.resolve().name,
        classes=labelled.classes,
        inputs=InputSpec(labelled.channels, labelled.dtype, *labelled.frames.shape[2:]),
        outputs=OutputSpec(
            cast("int", trained.network.embedding), (*_measure.names(labelled.channels), _unfamiliar.NAME)
        ),
        graphs={"fp32": (model, OPSET)},
        seen=_seen(labelled, parts, plan),
        weights=pack(trained.network),
        training=provenance(cells, data, plan, trained, parts, command),
        metrics=metrics,
    )
    bundle = _with_int8(contents, labelled, parts, out) if plan.int8 else write_bundle(out, **contents)
    checkpoint.clear()
    return bundle


class _Contents(TypedDict):
    """What `write_bundle` takes beside the directory."""

    name: str
    classes: tuple[str, ...]
    inputs: InputSpec
    outputs: OutputSpec
    graphs: dict[Precision, tuple[bytes, int]]
    seen: NDArray[np.uint64]
    weights: bytes
    training: dict[str, object]
    metrics: dict[str, object]


def _with_int8(contents: _Contents, labelled: Labelled, parts: Split, out: Path) -> Bundle:
    """Write the bundle with an int8 graph, or without where that answers differently; the metrics say which and why."""
    rows = np.concatenate((parts.looked_at, parts.test))
    frames = labelled.take(rows)
    seen = np.arange(len(rows)) < len(parts.looked_at)
    material = Material(contents["name"], frames, labels=labelled.labels[rows], seen=seen, unfitted=frames)
    with TemporaryDirectory() as scratch:
        plain = write_bundle(Path(scratch) / contents["name"], **contents)
        try:
            return add_int8(plain, material, out).bundle
        except (EngineError, InputError) as error:
            contents["metrics"]["int8"] = f"left out: {error}"
    return write_bundle(out, **contents)


@contextmanager
def settings(plan: Plan) -> Iterator[None]:
    """Seed PyTorch and set its threads, and leave both as they were; keep freed memory for the next step."""
    before = torch.get_num_threads()
    keep_freed_memory()
    with torch.random.fork_rng():
        torch.manual_seed(plan.seed)
        try:
            if plan.threads is not None:
                torch.set_num_threads(plan.threads)
            yield
        finally:
            torch.set_num_threads(before)


def _prepare(out: Path) -> None:
    """Find out now, and not after an hour of training, that a bundle cannot be written there."""
    if not _NAME.fullmatch(out.resolve().name):
        raise InputError("training", "out", out.name, "a name of letters, digits, '.', '_', '-', at most 64")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputError("training", "out", error.strerror or str(error), "a directory that can be written") from error


def _seen(labelled: Labelled, parts: Split, plan: Plan) -> NDArray[np.uint64]:
    """Return the fingerprints of all cells that shaped the weights: also those of a bundle they started from."""
    own = labelled.fingerprints(parts.looked_at)
    source = plan.init_from
    if source is None or source.manifest.seen is None:
        return own
    theirs = np.fromfile(source.path / source.manifest.seen.file, dtype="<u8").astype(np.uint64)
    return np.concatenate((own, theirs))


def _without_twins(labelled: Labelled, parts: Split, plan: Plan) -> Split:
    """Leave out test cells that this run, or a bundle it starts from or follows, has looked at, byte for byte."""
    known = np.isin(labelled.fingerprints(parts.test), labelled.fingerprints(parts.looked_at))
    for bundle in (plan.init_from, plan.teacher):
        if bundle is not None:
            known |= seen_by(bundle, labelled, parts.test)
    return replace(parts, test=parts.test[~known])


def _metrics(classifier: Classifier, model: bytes, labelled: Labelled, test: NDArray[np.int64]) -> dict[str, object]:
    """Score the module on the test cells, and compare the exported graph with it on the same cells."""
    if not len(test):
        return {}
    frames = labelled.take(test)
    outputs = classify(classifier, frames)
    found = figures(outputs[0], labelled.labels[test], labelled.classes)
    return {
        # Without the curve of two hundred points, which `cellgate evaluate` makes again.
        "test": {name: value for name, value in found.items() if value is not None and name != "abstention"},
        "parity": parity(model, frames, outputs),
    }
