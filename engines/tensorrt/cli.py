"""`cellgate build`: build a bundle for an NVIDIA GPU."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from engines.bundle import Bundle
from engines.cells import HINT_HELP, parse_hints
from engines.errors import EngineError, InputError
from engines.tensorrt._build import GPU_LADDER, build_plan, checked_ladder
from engines.tensorrt._device import devices
from engines.tensorrt._graph import PRECISIONS
from engines.tensorrt._need import need_tensorrt
from engines.tensorrt._plan import Plan
from engines.verify import LIMITS, MIN_CELLS, Material, compare_engine, material
from engines.verify.cli import cells_for, load, tell, unseen


def build_command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's directory, or jurkat or digital.")],
    precision: Annotated[str, typer.Option(help="fp16, fp32, or int8 where the bundle has an int8 graph for GPUs.")] = (
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
    cells: Annotated[
        str | None, typer.Option(metavar="FILE", help="Recorded cells to verify the plan on, or digital[:N].")
    ] = None,
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compare its answers with the FP32 reference's.")
    ] = True,
) -> None:
    """Build a bundle into a TensorRT plan for this machine's GPU; takes minutes, and is kept in the user's cache.

    What was built is compared with the FP32 reference, as `cellgate verify` does; a plan that answers differently is
    thrown away (exit code 2).
    """
    rungs = parse_ladder(ladder)
    exact = next((known for known in PRECISIONS if known == precision), None)
    if exact is None:
        raise InputError("build", "--precision", precision, " or ".join(PRECISIONS))
    need_tensorrt()
    if not devices():
        raise EngineError("build: there is no NVIDIA GPU; check the driver with nvidia-smi")
    loaded = load(bundle)
    # Before the build, which takes minutes: whether there is something to compare on.
    found = unseen(material(loaded, cells_for(loaded, cells, parse_hints(hint)))) if verify else None
    if found is not None and len(found) < MIN_CELLS:
        raise InputError("build", "--cells", f"{len(found)} cells", f"{MIN_CELLS} or more")
    # Imported here: it takes its time to load, and `cellgate --help` does not need it.
    from engines.tensorrt._progress_bar import progress_bar

    with progress_bar() as progress:
        plan = build_plan(loaded, exact, rungs, device=gpu, refittable=refittable, again=again, progress=progress)
    how = f"built in {plan.built_in_s:.1f} s" if plan.built_in_s else "was built before"
    typer.echo(f"{loaded.manifest.name} {exact} for {plan.key.gpu}, batches of {', '.join(map(str, rungs))}: {how}")
    typer.echo(f"{len(plan.blob) / 1e6:.1f} MB in {plan.path}")
    if found is not None:
        _verify(loaded, plan, found, gpu)


def parse_ladder(text: str) -> tuple[int, ...]:
    """Return `1,8,32` as numbers, ascending; `InputError` where it is not that."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 8 for part in parts):
        raise InputError("build", "--ladder", text, "batch sizes separated by commas, for instance 1,8,32")
    return checked_ladder(tuple(int(part) for part in parts))


def _verify(bundle: Bundle, plan: Plan, cells: Material, gpu: int) -> None:
    """Compare the plan's answers with the reference's; where they differ too much the plan goes, and is an error."""
    from engines.tensorrt._engine import TensorRtEngine

    with closing(TensorRtEngine(bundle, plan, device=gpu)) as engine:
        verdict = compare_engine(engine, cells.frames, cells.labels, limits=LIMITS[plan.key.precision])
    tell(verdict, cells.name, int(cells.seen.sum()))
    if not verdict.passed:
        plan.path.unlink(missing_ok=True)
        typer.echo(f"thrown away: {plan.path}")
    verdict.require()
