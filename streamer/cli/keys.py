"""`cellgate keys`: make a CURVE key pair."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer
import zmq.auth

from engines.errors import InputError


def keys_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose keys: streamer, camera1, sorter …")],
    directory: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where to put them.")] = Path("keys"),
) -> None:
    """Make a CURVE key pair: NAME.key to give away, and NAME.key_secret that only its owner may read.

    The public file (NAME.key) goes to the other side: a client's into the streamer's directory of authorized keys, the
    streamer's to every client.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise InputError("keys", "NAME", name, "letters, digits, '.', '_' and '-'")
    public, secret = directory / f"{name}.key", directory / f"{name}.key_secret"
    for file in (public, secret):
        if file.exists():
            raise InputError(file, "file", "there already", "a name that is not taken")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        mask = os.umask(0o077)  # before the files are there: a secret must not be readable even for a moment
        try:
            zmq.auth.create_certificates(directory, name)
        finally:
            os.umask(mask)
        public.chmod(0o644)
    except OSError as error:
        raise InputError(directory, "directory", error.strerror or str(error), "a directory to write to") from error
    typer.echo(f"{public} (give away)\n{secret} (keep)")
