"""`cellgate build`: build a bundle for an NVIDIA GPU."""

from __future__ import annotations

from typing import Annotated

import typer

from engines.errors import EngineError, InputError
from engines.tensorrt._build import GPU_LADDER, build_plan, checked_ladder
from engines.tensorrt._device import devices
from engines.tensorrt._graph import PRECISIONS
from engines.tensorrt._need import need_tensorrt
from engines.verify.cli import load


def build_command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's directory, or jurkat or digital.")],
    precision: Annotated[str, typer.Option(help="fp16, fp32, or int8 where the bundle has a symmetric int8 graph.")] = (
        "fp16"
    ),
    ladder: Annotated[str, typer.Option(metavar="SIZES", help="Batch sizes, separated by commas.")] = ",".join(
        map(str, GPU_LADDER)
    ),
    gpu: Annotated[int, typer.Option(min=0, help="Number of the GPU, as nvidia-smi counts.")] = 0,
    refittable: Annotated[
        bool, typer.Option("--refittable", help="Keep weights exchangeable, slightly slower.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Build also where there is a plan in the cache.")] = False,
) -> None:
    """Build a bundle into a TensorRT plan for this machine's GPU; takes minutes, and is kept in the user's cache."""
    rungs = parse_ladder(ladder)
    exact = next((known for known in PRECISIONS if known == precision), None)
    if exact is None:
        raise InputError("build", "--precision", precision, " or ".join(PRECISIONS))
    need_tensorrt()
    if not devices():
        raise EngineError("build: there is no NVIDIA GPU; check the driver with nvidia-smi")
    loaded = load(bundle)
    # Imported here: it takes its time to load, and `cellgate --help` does not need it.
    from engines.tensorrt._progress_bar import progress_bar

    with progress_bar() as progress:
        plan = build_plan(loaded, exact, rungs, device=gpu, refittable=refittable, again=again, progress=progress)
    how = f"built in {plan.built_in_s:.1f} s" if plan.built_in_s else "was built before"
    typer.echo(f"{loaded.manifest.name} {exact} for {plan.key.gpu}, batches of {', '.join(map(str, rungs))}: {how}")
    typer.echo(f"{len(plan.blob) / 1e6:.1f} MB in {plan.path}")


def parse_ladder(text: str) -> tuple[int, ...]:
    """Return `1,8,32` as numbers, ascending; `InputError` where it is not that."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 8 for part in parts):
        raise InputError("build", "--ladder", text, "batch sizes separated by commas, for instance 1,8,32")
    return checked_ladder(tuple(int(part) for part in parts))
