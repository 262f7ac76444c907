"""`cellgate classify` and `cellgate convert`."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from engines.cells import HINT_HELP, bare_hint, parse_hints
from engines.cells._recording import plain_text
from engines.errors import InputError

if TYPE_CHECKING:
    from engines.bundle import Bundle
    from engines.cells import Recording
    from engines.results import About, Results

_SIZE = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,3})")
RTDC = ".rtdc"


def classify_command(
    cells: Annotated[str, typer.Argument(help="Recorded cells of any kind, or digital[:N] for N rendered ones.")],
    bundle: Annotated[Path, typer.Option("--bundle", metavar="DIR", help="The bundle, or the name of a shipped one.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Result: .fcs, .parquet, .h5ad, .csv or .rtdc.")
    ],
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
    embedding: Annotated[bool, typer.Option("--embedding", help="Keep the embedding of each cell.")] = False,
    engine: Annotated[str, typer.Option(help="Engine: auto or one by name.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="The engine's threads; 0: one per core.")] = 0,
    precision: Annotated[Literal["fp32", "int8"], typer.Option(help="Which of the bundle's graphs.")] = "fp32",
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Cells per batch.")] = 64,
    channels_map: Annotated[
        str | None,
        typer.Option(metavar="NAME=THEIRS,...", help="What the file calls the bundle's channels: brightfield=Ch1."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
) -> None:
    """Classify recorded cells and write a table of results."""
    from engines.backends import open_engine
    from engines.bundle import find_bundle, load_bundle
    from engines.offline._blocks import channels_of
    from engines.offline._classify import classify
    from engines.offline._parts import Parts, RunInfo
    from engines.offline._progress import progress
    from engines.offline._table import table_of

    _check_out(cells, out)
    hints = parse_hints(hint)
    told = [bare_hint(text) for text in hint or []]
    loaded = load_bundle(find_bundle(bundle))
    command = _command(cells, bundle, out, channels_map, embedding, engine, precision, batch, told)
    with ExitStack() as stack:
        recording = stack.enter_context(_open(cells, hints))
        picked = channels_of(recording, loaded, _names(channels_map))
        running = open_engine(loaded, engine, precision=precision, threads=threads, ladder=(batch,), mode="throughput")
        stack.callback(running.close)
        run = RunInfo(
            # A run read with other hints is one of other cells.
            cells=plain_text(" ".join((PurePath(cells).name, *sorted(told)))),
            cells_sha256=_identity(cells, hints.get("table"), out),
            bundle_sha256=loaded.sha256,
            engine=running.name,
            embedding=embedding,
            channels=tuple(picked),
            classes=json.dumps(recording.classes),
        )
        opened = Counter(recording.skipped)
        running.warm()
        parts = Parts(_parts_of(out), run, resume=resume)
        try:
            with progress(len(recording), plain_text(PurePath(cells).name)) as report:
                classify(recording, running, parts, picked=picked, batch=batch, progress=report)
        except BaseException:
            typer.echo(f"unfinished: {parts.end} of {len(recording)} cells are kept; --resume goes on", err=True)
            raise
        skipped = opened + parts.skipped
        about = _about(cells, loaded, running.name, command, recording, parts.rows, skipped)
        results = table_of(parts, recording, loaded, embedding=embedding, about=about)
        _finish(recording, results, out)
        _tell_skipped(skipped)
        _tell_accuracy(results)
        parts.remove()


def convert_command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Recorded cells, or a table of results.")],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Cells: .npz, .h5 or .zarr. Results: .fcs, .parquet, .h5ad or .csv.", show_default=False
        ),
    ],
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Bring cells to this size (.npz, which holds one size only).")
    ] = None,
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
) -> None:
    """Turn recorded cells, or a table of results, into another format."""
    from engines.offline._convert import convert

    match = None if size is None else _SIZE.fullmatch(size)
    if size is not None and match is None:
        raise InputError("--size", "size", size, "height x width in pixels, such as 40x40")
    wanted = None if match is None else (int(match[1]), int(match[2]))
    done = convert(source, out, size=wanted, hints=parse_hints(hint))
    typer.echo(plain_text(f"{out}: {done.count} {done.what}"))
    _tell_skipped(done.skipped)


def _parts_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.parts")


def _identity(cells: str, table: str | None, out: Path) -> str:
    """Return what tells these cells and the table of their labels from others; what we write may lie among them."""
    from engines.offline._parts import identity

    if not Path(cells).exists():
        return cells
    found = identity(Path(cells), without=(_parts_of(out), out, out.with_name(f"{out.name}.json")))
    return found if table is None else hashlib.sha256((found + identity(Path(table))).encode()).hexdigest()


def _finish(recording: Recording, results: Results, out: Path) -> None:
    from engines.results import write_results

    rows = _write_rtdc(recording, results, out) if out.suffix.lower() == RTDC else write_results(results, out)
    typer.echo(plain_text(f"{out}: {rows} cells"))


def _tell_skipped(skipped: Mapping[str, int]) -> None:
    from engines.results import printable

    for reason, count in sorted(skipped.items(), key=lambda item: -item[1]):
        typer.echo(f"skipped {count}: {printable(reason)}")


def _tell_accuracy(results: Results) -> None:
    from engines.offline._accuracy import accuracy_of

    accuracy = accuracy_of(results)
    if accuracy is not None:
        typer.echo(str(accuracy))


def _check_out(cells: str, out: Path) -> None:
    from engines.results import check_target

    if out.suffix.lower() != RTDC:
        check_target(out)
    elif Path(cells).suffix.lower() != RTDC:
        raise InputError(out, "ending", RTDC, "cells from an .rtdc file, whose copy gets the scores")
    if not out.parent.is_dir():
        raise InputError(out, "folder", "no such folder", "one that is there")
    if Path(cells).exists() and out.exists() and out.samefile(cells):
        raise InputError(out, "--out", "the cells themselves", "another file")


def _open(cells: str, hints: dict[str, Any]) -> Recording:
    from engines.cells import is_digital, open_cells, open_recording

    if is_digital(cells) is None:
        return open_recording(cells, **hints)
    from engines.offline._rendered import InMemory

    return InMemory(open_cells(cells, hints=hints))


def _names(channels_map: str | None) -> dict[str, str]:
    """Return what the file calls each of the bundle's channels."""
    pairs = [] if channels_map is None else channels_map.split(",")
    found = {}
    for pair in pairs:
        name, equals, theirs = (word.strip() for word in pair.partition("="))
        if not (name and equals and theirs) or name in found:
            raise InputError("--channels-map", "pair", pair, "NAME=THEIRS, each name once")
        found[name] = theirs
    return found


def _about(
    cells: str, bundle: Bundle, engine: str, command: str, recording: Recording, rows: int, skipped: Counter[str]
) -> About:
    from engines.results import About

    return About(
        cells=plain_text(PurePath(cells).name),
        bundle=bundle.manifest.name,
        bundle_sha256=bundle.sha256,
        engine=engine,
        software=f"cellgate {version('cellgate')}",
        command=command,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        totals={"cells": rows, "skipped": sum(skipped.values())},
        info={plain_text(key): plain_text(str(value)) for key, value in recording.about.items()},
        notes=tuple(plain_text(f"skipped {count}: {reason}") for reason, count in skipped.items()),
    )


def _write_rtdc(recording: Recording, results: Results, out: Path) -> int:
    """Write the scores into a copy of the RT-DC file; events that were skipped get none."""
    import numpy as np

    from engines.cells.hdf5 import write_rtdc_scores
    from engines.cells.hdf5._events import event_count, events_group, scalar_features
    from engines.cells.hdf5._h5file import open_h5

    classes = next(column.labels for column in results.head.columns if column.name == "class")
    chunks = [
        (chunk.columns["index"], np.stack([chunk.columns[f"p({name})"] for name in classes], axis=1))
        for chunk in results.chunks()
    ]
    with open_h5(Path(recording.name), "writing RT-DC files") as file:
        events = event_count(scalar_features(recording.name, events_group(recording.name, file)))
    scores = np.full((events or len(recording), len(classes)), np.nan, np.float32)
    for index, probabilities in chunks:
        scores[index] = probabilities
    about = results.head.about
    provenance = {name: str(getattr(about, name)) for name in ("bundle", "bundle_sha256", "engine", "command")}
    write_rtdc_scores(recording.name, out, scores, classes, provenance=provenance, replace=True, overwrite=True)
    return sum(len(index) for index, _ in chunks)


def _command(
    cells: str,
    bundle: Path,
    out: Path,
    names: str | None,
    embedding: bool,
    engine: str,
    precision: str,
    batch: int,
    hints: list[str],
) -> str:
    """Return the command as typed, files by their names only: a result does not tell where a user keeps them."""
    words = ["cellgate", "classify", PurePath(cells).name, "--bundle", bundle.name, "--out", out.name]
    words += [word for hint in hints for word in ("--hint", hint)]
    words += ["--embedding"] * embedding + ([] if names is None else ["--channels-map", names])
    words += ["--engine", engine, "--precision", precision, "--batch", str(batch)]
    return plain_text(shlex.join(words))
