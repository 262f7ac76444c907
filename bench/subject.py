"""What is measured: a bundle on an engine, and how it is told on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.fresh import fresh_network
from bench.live import How, frames_for
from engines.backends import DEFAULT_LADDER, Arithmetic, Engine, open_engine
from engines.bundle import Bundle, find_bundle, load_bundle
from engines.errors import InputError

DEFAULT_BUNDLE = "digital"
"""A shipped bundle, so that a bench needs no PyTorch."""

Say = Callable[[str], None]
"""Told what is being done, once for every step."""


@dataclass(frozen=True)
class Options:
    """What every bench can be told.

    Attributes
    ----------
    seconds
        How long each measurement lasts; a bench makes several.
    """

    engine: str = "auto"
    bundle: str | None = None
    network: str | None = None
    precision: Arithmetic = "fp32"
    threads: int = 0
    ladder: tuple[int, ...] = DEFAULT_LADDER
    seconds: float = 5.0
    seed: int = 0


@dataclass(frozen=True)
class Subject:
    """A bundle, how to run it, and frames to send to it."""

    bundle: Bundle
    how: How
    frames: NDArray[np.generic]

    def open(self) -> Engine:
        """Return the engine as the streamer opens it, warm."""
        how = self.how
        engine = open_engine(
            self.bundle,
            how.engine,
            precision=how.precision,
            threads=how.threads,
            ladder=how.ladder,
            measure=False,  # the gate of a bench looks at classes
        )
        engine.warm()
        return engine

    def about(self) -> dict[str, object]:
        """Return what it is, as JSON-able values."""
        manifest = self.bundle.manifest
        return {
            "bundle": manifest.name,
            "bundle_sha256": self.bundle.sha256,
            "network": manifest.training.get("network"),
            "precision": self.how.precision,
            "threads": self.how.threads,
            "ladder": self.how.ladder,
            "frame_shape": self.bundle.frame_shape,
            "dtype": self.bundle.dtype.name,
            "frame_bytes": self.frames[0].nbytes,
        }


def subject_of(options: Options, default: str = DEFAULT_BUNDLE) -> Subject:
    """Return what these options name; `default` is a shipped bundle.

    Raises
    ------
    InputError
        Both a bundle and a network are named, or the time is none.
    """
    if options.bundle is not None and options.network is not None:
        raise InputError("bench", "--network", f"{options.network} beside --bundle {options.bundle}", "one of them")
    if not 0.05 <= options.seconds <= 3600:
        raise InputError("bench", "--seconds", options.seconds, "0.05 to 3600")
    if options.network is not None:
        graph: Literal["fp32", "int8"] = "int8" if options.precision == "int8" else "fp32"
        bundle = fresh_network(options.network, graph)
    else:
        bundle = load_bundle(find_bundle(options.bundle or default))
    how = How(options.engine, options.precision, options.threads, options.ladder)
    return Subject(bundle, how, frames_for(bundle, seed=options.seed))
