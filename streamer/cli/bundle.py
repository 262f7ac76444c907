"""`cellgate bundle`: what a bundle is, after checking every hash in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engines.bundle import load_bundle


def bundle_command(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="The bundle's directory.")],
    json: Annotated[bool, typer.Option("--json", help="The whole manifest as JSON.")] = False,
) -> None:
    """Check a bundle (every file against its hash) and say what it holds."""
    bundle = load_bundle(path)
    manifest = bundle.manifest
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode({"sha256": bundle.sha256, "manifest": manifest}), indent=2))
        return
    spec = manifest.input
    rows = {
        "name": manifest.name,
        "sha256": bundle.sha256,
        "created": manifest.created,
        "classes": ", ".join(manifest.classes),
        "channels": ", ".join(spec.channels),
        "input": f"{len(spec.channels)}×{spec.height}×{spec.width} {spec.dtype}, other sizes by {spec.fit}",
        "graphs": ", ".join(
            f"{graph.precision}{'' if graph.target == 'any' else f' for {graph.target}'} ({graph.file})"
            for graph in manifest.graphs
        ),
        "embedding": str(manifest.outputs.embedding),
        "measurements": ", ".join(manifest.outputs.measurements),
    }
    rows |= {
        f"trained: {key}": str(value)
        for key, value in manifest.training.items()
        if isinstance(value, str | int | float)
    }
    rows |= {
        f"metric: {key}": f"{value:.4g}" for key, value in manifest.metrics.items() if isinstance(value, int | float)
    }
    width = max(len(key) for key in rows)
    for key, value in rows.items():
        typer.echo(f"{key:<{width}}  {value}")
