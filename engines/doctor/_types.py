"""What a check found."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

State = Literal["ok", "note", "bad"]
"""Fine, worth knowing, or in the way."""


class Fact(msgspec.Struct, frozen=True):
    """One thing that was looked at, and what to do about it if something is to be done."""

    name: str
    found: str
    state: State = "ok"
    remedy: str | None = None


def read_text(path: str | Path) -> str | None:
    """Return what a small file of the system says, stripped; None where it is not there."""
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return None
