"""`cellgate swap`: let another bundle decide, while the streamer runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.ctl import Author, SecretKey, ServerKey, To, user_name
from streamer.client import Controller
from streamer.config import DEFAULT_CONTROL

STAGES = {"loading": "loading and checking", "compiling": "compiling and warming", "comparing": "comparing with FP32"}


def swap_command(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="A bundle's directory on the streamer's machine, or a shipped one.")
    ],
    to: To = DEFAULT_CONTROL,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the journal.")] = "not said",
    max_changed: Annotated[
        float | None,
        typer.Option(
            "--max-changed",
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="Refuse it if more cells than this get another class, or another gate decision, than with FP32.",
        ),
    ] = None,
    cells: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Recorded cells there to compare on; by default those it has seen last."),
    ] = None,
    author: Author = None,
    server_key: ServerKey = None,
    secret_key: SecretKey = None,
) -> None:
    """Let another bundle decide: it is loaded, compiled and compared beside the one that does, and no cell is lost.

    If it does not fit, or does not answer as its FP32 graph does, it is refused and the old one goes on.
    """
    with Controller(to, server_key=server_key, secret_key=secret_key) as controller:
        done = controller.swap(
            _there(bundle),
            author=author or user_name(),
            reason=reason,
            max_changed=max_changed,
            cells=None if cells is None else _there(cells),
            progress=lambda stage: typer.echo(STAGES.get(stage, stage)),
        )
    typer.echo(
        f"verified: on {done.cells} cells {done.changed_classes} classes and {done.changed_decisions} gate decisions "
        f"differ, mean probability error {done.mean_probability_error:.2g}"
    )
    typer.echo(f"switched: bundle {done.bundle} {done.bundle_sha256[:12]} decides, on {done.engine}")


def _there(bundle: str) -> str:
    """Return the path as the streamer will understand it, which runs in another directory; a bare name stays one."""
    path = Path(bundle)
    return bundle if path.name == bundle and not path.exists() else str(path.absolute())
