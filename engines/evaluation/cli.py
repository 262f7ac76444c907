"""`cellgate evaluate`: how good a bundle is on labelled cells."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Annotated, cast

import typer

from engines.bundle import Bundle, Precision, find_bundle, load_bundle
from engines.cells import HINT_HELP, bare_hint, open_cells, parse_hints, skipped_lines
from engines.errors import InputError
from engines.evaluation._channels import parse_channel_map
from engines.evaluation._class_mix_file import read_class_mix
from engines.evaluation._embedding_map import MAPS, require_map
from engines.evaluation._evaluate import evaluate
from engines.evaluation._merge import parse_merges
from engines.evaluation._page import write_report
from engines.evaluation._print import print_evaluation

_PRECISIONS = ("fp32", "int8")


def evaluate_command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's directory, or jurkat or digital.")],
    cells: Annotated[str, typer.Argument(metavar="CELLS", help="A file of labelled cells, or digital[:N].")],
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures as JSON.")] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write DIR/index.html, a page to read.")
    ] = None,
    class_mix: Annotated[
        Path | None,
        typer.Option("--class-mix", metavar="FILE", help="Accuracy at this mix: a number per class, JSON or TOML."),
    ] = None,
    merge: Annotated[
        list[str] | None, typer.Option("--merge", metavar="A,B=NAME", help="Merge classes; can be given repeatedly.")
    ] = None,
    channels_map: Annotated[
        str | None,
        typer.Option("--channels-map", metavar="NAME=CHANNEL,…", help="The bundle's channel names and the cells' own."),
    ] = None,
    unseen_only: Annotated[
        bool, typer.Option("--unseen-only", help="Leave out cells that training has looked at.")
    ] = False,
    groups: Annotated[bool, typer.Option("--groups", help="Figures per plate, day, donor or flask.")] = False,
    map_kind: Annotated[
        str, typer.Option("--map", metavar="KIND", help="Map of the embedding in the report: pca or tsne.")
    ] = "pca",
    engine: Annotated[str, typer.Option(help="Engine to run the bundle with.")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32 or int8, whichever the bundle has.")] = "fp32",
    threads: Annotated[int, typer.Option(min=0, help="Of the inference; 0: one per core.")] = 0,
    seed: Annotated[int, typer.Option(help="Of digital cells.")] = 0,
) -> None:
    """Run a bundle on labelled cells and say how good it is."""
    if precision not in _PRECISIONS:
        raise InputError("evaluate", "--precision", precision, " or ".join(_PRECISIONS))
    if map_kind not in MAPS:
        raise InputError("evaluate", "--map", map_kind, " or ".join(MAPS))
    if report is not None:
        require_map(map_kind)
    exact = cast("Precision", precision)
    merges = parse_merges(merge or [])
    names = {} if channels_map is None else parse_channel_map(channels_map)
    loaded = load(bundle)
    mix = None if class_mix is None else read_class_mix(class_mix, loaded.classes)
    loaded.graph(exact)
    words = {
        "--hint": [bare_hint(text) for text in hint or []],
        "--class-mix": class_mix,
        "--merge": merge or [],
        "--channels-map": channels_map,
        "--unseen-only": unseen_only,
        "--groups": groups,
        "--engine": engine if engine != "auto" else None,
        "--precision": precision,
        "--threads": threads or None,
        "--seed": seed or None,
    }
    opened = open_cells(cells, seed=seed, hints=parse_hints(hint))
    for line in skipped_lines(opened.skipped):
        typer.echo(line, err=True)
    evaluation = evaluate(
        loaded,
        opened,
        engine=engine,
        precision=exact,
        threads=threads,
        channel_map=names,
        merge=merges,
        class_mix=mix,
        unseen_only=unseen_only,
        groups=groups,
        command=_command(words, bundle, cells),
        quiet=False,
    )
    print_evaluation(evaluation)
    if json is not None:
        _write(json, evaluation.json())
    if report is not None:
        path = write_report(evaluation, report, map_kind=map_kind)
        typer.echo(f"report: {path}")


def load(bundle: str) -> Bundle:
    """Load the bundle in a directory of this name or, where there is none, the shipped one.

    Raises `BundleError` where neither is there.
    """
    return load_bundle(find_bundle(bundle))


def _command(words: Mapping[str, object], bundle: str, cells: str) -> str:
    """Return the command as typed, files by their names only: a report does not tell where a user keeps them."""
    parts = ["cellgate", "evaluate", PurePath(bundle).name, PurePath(cells).name]
    for option, value in words.items():
        for each in value if isinstance(value, list) else [value]:
            if each is True:
                parts.append(option)
            elif each is not None and each is not False:
                parts += [option, each.name if isinstance(each, Path) else str(each)]
    return shlex.join(parts)


def _write(path: Path, text: bytes) -> None:
    try:
        path.write_bytes(text)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        found = getattr(error, "strerror", None) or str(error)
        raise InputError(path, "--json", found, "a file that can be written") from error
