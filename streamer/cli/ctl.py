"""`cellgate ctl`: look at a running streamer's settings and change them."""

from __future__ import annotations

import getpass
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engines.errors import InputError
from streamer.client import Controller
from streamer.config import DEFAULT_CONTROL

app = typer.Typer(name="ctl", help="Look at a running streamer's settings and change them.", no_args_is_help=True)

To = Annotated[str, typer.Option("--to", metavar="ENDPOINT", help="The streamer's control endpoint.")]
ServerKey = Annotated[Path | None, typer.Option("--server-key", metavar="FILE", help="The streamer's public key.")]
SecretKey = Annotated[Path | None, typer.Option("--secret-key", metavar="FILE", help="Your own secret key.")]
Author = Annotated[str | None, typer.Option("--author", help="Who changes it; by default the user's name.")]
Why = Annotated[str, typer.Option("--reason", help="Why, for the journal.")]


@app.command()
def show(to: To = DEFAULT_CONTROL, server_key: ServerKey = None, secret_key: SecretKey = None) -> None:
    """Show the state, the gates and the thresholds, as JSON."""
    with Controller(to, server_key=server_key, secret_key=secret_key) as controller:
        settings = controller.ask()
    typer.echo(msgspec.json.format(msgspec.json.encode(settings), indent=2).decode())


@app.command()
def arm(
    reason: Why,
    to: To = DEFAULT_CONTROL,
    author: Author = None,
    server_key: ServerKey = None,
    secret_key: SecretKey = None,
) -> None:
    """Arm: from the next batch on wanted cells are kept."""
    _change({"decision": {"armed": True}}, to, author, reason, server_key, secret_key)


@app.command()
def disarm(
    reason: Why,
    to: To = DEFAULT_CONTROL,
    author: Author = None,
    server_key: ServerKey = None,
    secret_key: SecretKey = None,
) -> None:
    """Disarm: from the next batch on no cell is kept."""
    _change({"decision": {"armed": False}}, to, author, reason, server_key, secret_key)


@app.command(name="set")
def set_(
    settings: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="Keys of [decision], as in TOML.")],
    reason: Why,
    to: To = DEFAULT_CONTROL,
    author: Author = None,
    server_key: ServerKey = None,
    secret_key: SecretKey = None,
) -> None:
    """Change thresholds, such as `min_confidence=0.8`."""
    with _toml("ctl set"):
        decision = tomllib.loads("\n".join(settings))
    _change({"decision": decision}, to, author, reason, server_key, secret_key)


@app.command()
def load(
    config: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration; [decision] and [[gate]] are taken.")],
    reason: Why,
    to: To = DEFAULT_CONTROL,
    author: Author = None,
    server_key: ServerKey = None,
    secret_key: SecretKey = None,
) -> None:
    """Replace all gates, and the thresholds that the file names, by those of a configuration file."""
    with _toml(config):
        tree = tomllib.loads(config.read_text())
    changes: dict[str, object] = {"gate": tree.get("gate", [])}
    decision = tree.get("decision")
    if isinstance(decision, dict):
        if isinstance(decision.get("gating_ml"), str):
            # The streamer does not know where this command was given.
            decision["gating_ml"] = str((config.parent / decision["gating_ml"]).resolve())
        changes["decision"] = decision
    _change(changes, to, author, reason, server_key, secret_key)


def _change(
    changes: dict[str, object],
    to: str,
    author: str | None,
    reason: str,
    server_key: Path | None,
    secret_key: Path | None,
) -> None:
    with Controller(to, server_key=server_key, secret_key=secret_key) as controller:
        done = controller.change(changes, author=author or user_name(), reason=reason)
    typer.echo(f"change {done.number} made; {done.state}")


def user_name() -> str:
    """Return who gives the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in many containers
        return f"uid {os.getuid()}"


@contextmanager
def _toml(source: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(source, "file", error.strerror or str(error), "a readable file") from error
    except (ValueError, RecursionError) as error:
        raise InputError(source, "TOML", str(error), "valid TOML") from error
