"""The optional dependencies of this room."""

from __future__ import annotations

import importlib

from engines.errors import MissingExtraError


def require_extra() -> None:
    """Raise `MissingExtraError` unless SciPy, scikit-image and scikit-learn can be imported."""
    for module in ("scipy", "skimage", "sklearn"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingExtraError("the classical baseline", "classical") from error
