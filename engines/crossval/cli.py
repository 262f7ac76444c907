"""`cellgate crossval`: cross-validate a network, or the classical baseline, on labelled cells."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from engines.cells import HINT_HELP
from engines.crossval._entry import crossval
from engines.crossval._scheme import Scheme
from engines.crossval._summary import HEADLINES, Asked
from engines.crossval._trial import CLASSICAL
from engines.errors import InputError
from engines.evaluation import parse_merges
from engines.training._entry import require_extra
from engines.training._plan import Device, Plan
from engines.training._recipe import Recipe
from engines.training.cli import command_of, open_labelled, plan_of

_R = Recipe()


def crossval_command(
    context: typer.Context,
    cells: Annotated[str, typer.Argument(help="Labelled cells (docs/cells.md), or digital[:N] for rendered ones.")],
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Directory for each trial's answers; an interrupted run goes on there.")
    ] = Path("crossval"),
    folds: Annotated[int | None, typer.Option(help="Test every cell once, in this many folds; 5 by default.")] = None,
    leave_one_group_out: Annotated[
        bool, typer.Option("--leave-one-group-out", help="One fold per group: plate, day, donor.")
    ] = False,
    repeats: Annotated[int | None, typer.Option(help="Draw 20 % of the cells for testing, this many times.")] = None,
    fractions: Annotated[
        str, typer.Option(help="Learning curve: shares of the training cells, as in 0.1,0.25,0.5,1.")
    ] = "1",
    per_class: Annotated[
        str | None, typer.Option(help="Learning curve in cells of each class instead, as in 10,25,100.")
    ] = None,
    network: Annotated[str, typer.Option(help="A network (docs/networks.md), or classical: features and boosting.")] = (
        "compact"
    ),
    channels: Annotated[str | None, typer.Option(help="Channels, comma separated. All but the guide.")] = None,
    guide: Annotated[str | None, typer.Option(help="A channel the network learns to foretell.")] = None,
    merge: Annotated[list[str] | None, typer.Option(help="Merge classes before training: 'A,B=C'.")] = None,
    groups: Annotated[
        str | None, typer.Option(metavar="KEY", help="Where the cells' groups are; 'none' to ignore groups.")
    ] = None,
    init_from: Annotated[str | None, typer.Option(help="Start each trial from this bundle's weights.")] = None,
    teacher: Annotated[str | None, typer.Option(help="Follow this bundle's probabilities.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training cells.")] = _R.epochs,
    seed: Annotated[int, typer.Option(help="Of the parts, the weights and the augmentation.")] = 0,
    jobs: Annotated[int, typer.Option(help="Trials at a time, one process each.")] = 1,
    threads: Annotated[int | None, typer.Option(help="PyTorch's threads per job; the processors' by default.")] = None,
    device: Annotated[Device, typer.Option(help="Where PyTorch computes.")] = "auto",
    bfloat16: Annotated[bool, typer.Option(help="Compute in bfloat16: faster on AVX-512 BF16.")] = False,
    recipe: Annotated[list[str] | None, typer.Option(help="Another number of the recipe: NAME=VALUE.")] = None,
    symmetries: Annotated[
        str | None,
        typer.Option(help="Compare these numbers of test-time symmetries: 1,8. The first is reported."),
    ] = None,
    class_mix: Annotated[Path | None, typer.Option(help="State accuracy at this class mix, too (a JSON file).")] = None,
    report_merge: Annotated[
        list[str] | None, typer.Option(help="State figures of merged classes, too: 'G1,S,G2=Interphase'.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
) -> None:
    """Cross-validate: how good a network is on cells it was not trained on, and how sure that is."""
    if network != CLASSICAL:
        require_extra()
    each = threads or max(1, (os.cpu_count() or 1) // max(1, jobs))
    plan = dataclasses.replace(plan_of(context), threads=each)
    scheme = _scheme(folds, repeats, fractions, per_class, plan, by_group=leave_one_group_out)
    opened = open_labelled(cells, seed, groups, hint)
    asked = Asked(class_mix, parse_merges(report_merge or []))
    poses = tuple(_whole(text, "symmetries") for text in symmetries.split(",")) if symmetries else ()
    for count in poses:
        dataclasses.replace(plan.recipe, symmetries=count)  # refuses a number that cannot be, by name
    if json_file is not None and (json_file.is_dir() or not json_file.parent.is_dir()):
        raise InputError(json_file, "json", "no file in a folder that is there", "a file that can be written")
    try:
        found = crossval(opened, out=out, scheme=scheme, plan=plan, symmetries=poses, asked=asked, jobs=jobs)
    except KeyboardInterrupt:
        typer.echo(f"\ninterrupted; the same command goes on from what is in {out}", err=True)
        raise typer.Exit(130) from None
    found = {"command": command_of(context, "crossval"), "cells": len(opened), "plan": plan.facts(), **found}
    _show(found)
    if json_file is not None:
        _write(found, json_file)


def _scheme(
    folds: int | None, repeats: int | None, fractions: str, per_class: str | None, plan: Plan, *, by_group: bool
) -> Scheme:
    named_schemes = (("--folds", folds), ("--repeats", repeats), ("--leave-one-group-out", by_group))
    chosen = [name for name, given in named_schemes if given]
    if len(chosen) > 1:
        raise InputError("crossval", "scheme", " and ".join(chosen), "one of them")
    common = Scheme(
        fractions=tuple(_number(text, "fractions") for text in fractions.split(",")),
        per_class=tuple(_whole(text, "per-class") for text in per_class.split(",")) if per_class else (),
        keep_groups=plan.keep_groups,
        validation=plan.recipe.validation,
        test=plan.recipe.test,
    )
    if by_group:
        return dataclasses.replace(common, kind="groups")
    if repeats is not None:
        return dataclasses.replace(common, kind="repeats", count=repeats)
    return common if folds is None else dataclasses.replace(common, count=folds)


def _number(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError("crossval", field, text, "numbers, comma separated") from None


def _whole(text: str, field: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError("crossval", field, text, "whole numbers, comma separated") from None


def _write(found: dict[str, Any], path: Path) -> None:
    try:
        path.write_text(json.dumps(found, indent=2) + "\n")
    except OSError as error:
        raise InputError(path, "json", error.strerror or str(error), "a file that can be written") from error


def _show(found: dict[str, Any]) -> None:
    console = Console()
    table = Table("", *HEADLINES, title=f"{len(found['trials'])} trials")
    table.add_row("mean ± sd", *(_spread(found["mean"][name]) for name in HEADLINES))
    table.add_row("all answers", *(f"{found['pooled'][name]:.4f}" for name in HEADLINES))
    for poses, figures in found["by_symmetries"].items():
        if len(found["by_symmetries"]) > 1:
            table.add_row(f"{poses} symmetries", *(f"{figures[name]:.4f}" for name in HEADLINES))
    for step in found["learning_curve"]:
        if len(found["learning_curve"]) > 1:
            table.add_row(f"trained on {step['cells']:.0f}", *(_spread(step[name]) for name in HEADLINES))
    console.print(table)
    recalls = found["pooled"]["recall"]
    console.print("recall  " + "  ".join(f"{name} {value:.3f}" for name, value in recalls.items() if value is not None))


def _spread(value: dict[str, float | None]) -> str:
    return f"{value['mean']:.4f}" + ("" if value["sd"] is None else f" ± {value['sd']:.4f}")
