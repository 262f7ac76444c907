"""`cellgate train`: train a network on labelled cells and write a bundle."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePath
from typing import Annotated, Any, get_args

import typer

from engines.bundle import Bundle, find_bundle, load_bundle
from engines.cells import HINT_HELP, Cells, bare_hint, open_cells, parse_hints, skipped_lines
from engines.errors import InputError
from engines.evaluation import parse_merges
from engines.training._entry import require_extra, train
from engines.training._plan import Device, Plan
from engines.training._recipe import Normalise, Optimiser, Recipe

_R = Recipe()
DIGITAL_CELLS = 20_000


def train_command(
    context: typer.Context,
    cells: Annotated[str, typer.Argument(help="Labelled cells (see docs/cells.md), or digital[:N] for rendered ones.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory of the bundle to write.")],
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
    network: Annotated[str, typer.Option(help="compact, deepflow, student …; see docs/networks.md.")] = "compact",
    channels: Annotated[
        str | None, typer.Option(help="Channels, comma separated, in order. All but the guide by default.")
    ] = None,
    guide: Annotated[
        str | None, typer.Option(help="A recorded channel the network learns to foretell but is not shown.")
    ] = None,
    merge: Annotated[list[str] | None, typer.Option(help="Merge classes: 'G1,S,G2=Interphase'. Repeatable.")] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Where their groups (plate, day, donor) are, kept whole in the split; 'none' for none."
        ),
    ] = None,
    init_from: Annotated[
        str | None, typer.Option(help="Transfer: a bundle of the same network whose weights to start from.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="Distillation: a bundle whose probabilities to follow.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training cells.")] = _R.epochs,
    seed: Annotated[int, typer.Option(help="Of the split, the weights and the augmentation.")] = 0,
    threads: Annotated[int | None, typer.Option(help="PyTorch's threads; its own choice by default.")] = None,
    device: Annotated[Device, typer.Option(help="Where PyTorch computes; auto is a GPU where there is one.")] = "auto",
    bfloat16: Annotated[bool, typer.Option(help="Compute in bfloat16: faster on AVX-512 BF16.")] = False,
    int8: Annotated[bool, typer.Option(help="Add an int8 graph, if it answers as the FP32 one does.")] = True,
    resume: Annotated[bool, typer.Option(help="Go on from where this very run was interrupted.")] = False,
    recipe: Annotated[
        list[str] | None,
        typer.Option(help="Any other number of the recipe, as NAME=VALUE (docs/training.md). Repeatable."),
    ] = None,
) -> None:
    """Train a network on labelled cells and write a bundle."""
    require_extra()
    plan = dataclasses.replace(plan_of(context), int8=int8, threads=threads)
    opened = open_labelled(cells, seed, groups, hint)
    try:
        bundle = train(opened, out=out, plan=plan, resume=resume, command=command_of(context, "train"))
    except KeyboardInterrupt:
        typer.echo(f"\ninterrupted; the same command with --resume goes on from the last epoch in {out}", err=True)
        raise typer.Exit(130) from None
    figures = bundle.manifest.metrics.get("test")
    if isinstance(figures, dict):
        typer.echo(
            f"{bundle.manifest.name}: {figures['cells']} held-out cells: accuracy {figures['accuracy']:.4f}, "
            f"balanced accuracy {figures['balanced_accuracy']:.4f}, calibration error {figures['ece']:.4f}"
        )


def plan_of(context: typer.Context) -> Plan:
    """Return the plan of the options that `train` and `crossval` share, by their names."""
    given = context.params
    channels = given["channels"]
    return Plan(
        network=given["network"],
        channels=None if channels is None else tuple(name.strip() for name in channels.split(",")),
        guide=given["guide"],
        recipe=changed(
            dataclasses.replace(_R, epochs=given["epochs"], bfloat16=given["bfloat16"]), given["recipe"] or []
        ),
        merges=parse_merges(given["merge"] or []),
        keep_groups=given["groups"] != "none",
        init_from=named(given["init_from"]),
        teacher=named(given["teacher"]),
        seed=given["seed"],
        device=given["device"],
    )


def open_labelled(cells: str, seed: int, groups: str | None, hint: list[str] | None) -> Cells:
    """Open the cells to train on, every class of rendered ones alike; what was left out is told on standard error."""
    hints = parse_hints(hint)
    opened = open_cells(cells, seed=seed, digital=DIGITAL_CELLS, uniform_mix=True, groups=groups, hints=hints)
    for line in skipped_lines(opened.skipped):
        typer.echo(line, err=True)
    return opened


def named(bundle: str | None) -> Bundle | None:
    """Load a bundle by its directory or, for a shipped one, by its name."""
    return None if bundle is None else load_bundle(find_bundle(bundle))


def changed(recipe: Recipe, texts: list[str]) -> Recipe:
    """Return the recipe with `NAME=VALUE` texts applied; `InputError` for a name or value that cannot be."""
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        kinds = {field.name: type(getattr(recipe, field.name)) for field in dataclasses.fields(recipe)}
        if not equals or name not in kinds:
            raise InputError("recipe", text, name, f"NAME=VALUE with one of {', '.join(kinds)}")
        changes: dict[str, Any] = {name: _value(name, kinds[name], value)}
        recipe = dataclasses.replace(recipe, **changes)
    return recipe


def _value(name: str, kind: type, text: str) -> object:
    choices = {"normalise": get_args(Normalise), "optimiser": get_args(Optimiser), "bool": ("true", "false")}
    allowed = choices["bool"] if kind is bool else choices.get(name)
    if allowed is not None:
        if text not in allowed:
            raise InputError("recipe", name, text, " or ".join(allowed))
        return text == "true" if kind is bool else text
    try:
        return kind(text)
    except ValueError:
        raise InputError("recipe", name, text, "a whole number" if kind is int else "a number") from None


def command_of(context: typer.Context, name: str) -> str:
    """Return the command as typed, files by their names only: a manifest does not tell where a user keeps them."""
    words = [f"cellgate {name}"]
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        value = context.params.get(parameter.name or "")
        if source is None or source.name != "COMMANDLINE" or parameter.name == "resume":
            continue
        if parameter.param_type_name == "argument":
            words.append(_bare(value))
        elif isinstance(value, bool):
            words.append((parameter.opts if value else parameter.secondary_opts)[0])
        else:
            values = value if isinstance(value, list | tuple) else [value]
            words += [f"{parameter.opts[0]} {_told(parameter.name or '', str(each))}" for each in values]
    return " ".join(words)


def _told(name: str, text: str) -> str:
    # These have slashes that are none of a path on this machine: levels=group/class, an array in a file.
    if name in ("hint", "groups"):
        return _quoted(bare_hint(text) if name == "hint" else text)
    return _bare(text)


def _bare(value: object) -> str:
    text = str(value)
    return _quoted(PurePath(text).name if "/" in text else text)


def _quoted(text: str) -> str:
    return f"'{text}'" if any(c in text for c in " ,;()|&<>*$") and "'" not in text else text
