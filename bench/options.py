"""The options every bench has, as the command line takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from engines.errors import InputError

EngineOption = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="The engine, as the configuration names it.")
]
BundleOption = Annotated[
    str | None, typer.Option("--bundle", metavar="DIR", help="A bundle's directory, or the name of a shipped one.")
]
NetworkOption = Annotated[
    str | None,
    typer.Option("--network", metavar="NAME", help="A network with fresh weights at its paper's input; needs PyTorch."),
]
PrecisionOption = Annotated[Literal["fp32", "fp16", "int8"], typer.Option(help="The arithmetic.")]
ThreadsOption = Annotated[int, typer.Option(min=0, help="Of the engine on the CPU; 0: one per core but one.")]
LadderOption = Annotated[str, typer.Option("--ladder", metavar="N,N,…", help="Batch sizes the engine is compiled for.")]
SortDelayOption = Annotated[
    float | None,
    typer.Option("--sort-delay-us", min=1.0, help="Trigger to actuation; by default what suits the engine."),
]
SecondsOption = Annotated[float, typer.Option("--seconds", help="How long each measurement lasts.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of arrival times and frames.")]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here.")]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="DIR", help="Draw them there (PNG and SVG); needs matplotlib.")
]

DEFAULT_LADDER = "1,2,4,8,16,32"
PEERS_ENVIRONMENT = Path(".venv-peers")


def numbers(text: str, option: str) -> tuple[float, ...]:
    """Return the positive numbers of a list with commas; `InputError` names the option where there is another thing."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < value < 1e9 for value in found):
        raise InputError("bench", option, text, "numbers above 0, with commas between them")
    return found


def whole_numbers(text: str, option: str, most: int = 4096) -> tuple[int, ...]:
    """Return the whole numbers of a list with commas, 1 to `most`, as they are given; `InputError` as `numbers`."""
    found = numbers(text, option)
    if any(value != int(value) or value > most for value in found):
        raise InputError("bench", option, text, f"whole numbers from 1 to {most}, with commas between them")
    return tuple(int(value) for value in found)
