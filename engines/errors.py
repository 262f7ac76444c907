"""The errors Cellgate raises on purpose, each of which a user can act on."""

from __future__ import annotations


class CellgateError(Exception):
    """Base of every error raised on purpose; its text is one line meant for the user."""


class InputError(CellgateError):
    """Something given to Cellgate (a file, a config, a message) is not what it must be.

    Parameters
    ----------
    source
        The file, message or option the problem is in.
    field
        The field, key or position inside it.
    found
        What is there; long values are shortened.
    expected
        What should be there.
    """

    def __init__(self, source: object, field: str, found: object, expected: str) -> None:
        self.source, self.field, self.expected = str(source), field, expected
        self.found = _short(found)
        super().__init__(_line(f"{self.source}: {self.field}: found {self.found}, expected {self.expected}"))

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way from one process to another."""
        return type(self), (self.source, self.field, self.found, self.expected)


class BundleError(InputError):
    """A bundle that cannot be used: incomplete, altered, or of another format."""


class CellsError(InputError):
    """A file of recorded cells that cannot be read as one."""


class EngineError(CellgateError):
    """An engine could not be built or failed while running; the reason is in the text."""


class MissingExtraError(CellgateError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        self.feature, self.extra = feature, extra
        super().__init__(f"{feature} needs the optional dependencies '{extra}': pip install 'cellgate[{extra}]'")

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way from one process to another."""
        return type(self), (self.feature, self.extra)


def _line(text: str) -> str:
    """Return the text on one line, without the control characters a file or message may hold."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))


def _short(value: object, limit: int = 120) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
