"""Engines as the configuration asks for them, built where building may take its time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engines.backends import Choice, Engine, choose_engine
from engines.bundle import Bundle, load_bundle
from engines.errors import BundleError
from streamer.config import Config
from streamer.decision import needs_measurements

Build = Callable[[Bundle, tuple[str, ...]], Choice]
"""Builds the first of these engines that can be built; without names, as configured."""


@dataclass(frozen=True)
class Built:
    """An engine that is ready to take over.

    Attributes
    ----------
    best_seconds
        What its `warm` returned.
    names
        See `Choice`.
    """

    engine: Engine
    best_seconds: dict[int, float]
    names: tuple[str, ...]


def engine_for(config: Config, bundle: Bundle, names: Sequence[str] = ()) -> Choice:
    """Return the engine that the configuration asks for, or the first of `names` that can be built.

    It computes measurements only where a gate or a limit looks at them: most configurations do not, and with the
    smallest networks measuring takes as long as classifying.
    """
    section = config.engine
    return choose_engine(
        bundle,
        names or section.name,
        precision=section.precision,
        threads=section.threads,
        ladder=section.ladder,
        mode=section.mode,
        pin=section.pin,
        fallback=section.fallback,
        devices=section.devices,
        measure=needs_measurements(config, bundle.manifest),
    )


def build_again(bundle: Bundle, names: tuple[str, ...], build: Build) -> Built:
    """Build and warm an engine for the bundle that decides; raise `BundleError` if its files are others by now."""
    again = load_bundle(bundle.path)
    if again.sha256 != bundle.sha256:
        raise BundleError(bundle.path, "sha256", again.sha256, f"{bundle.sha256}, of the bundle that decides")
    return warmed(again, names, build)


def warmed(bundle: Bundle, names: tuple[str, ...], build: Build) -> Built:
    """Build an engine and warm it; of one that cannot be warmed nothing is left."""
    choice = build(bundle, names)
    try:
        return Built(choice.engine, choice.engine.warm(), choice.names)
    except BaseException:
        choice.engine.close()
        raise
