"""The error of a journal that cannot be created or read."""

from __future__ import annotations

from engines.errors import InputError


class JournalError(InputError):
    """A journal file that cannot be created, or that is not one."""
