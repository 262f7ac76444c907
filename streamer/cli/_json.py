"""Write figures where `--json` says."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engines.errors import InputError


def write_json(path: Path, figures: object) -> None:
    """Write `figures` as indented JSON; `InputError` where the file cannot be written."""
    text = msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n"
    try:
        path.write_bytes(text)
    except OSError as error:
        raise InputError(path, "--json", error.strerror or str(error), "a file that can be written") from error
