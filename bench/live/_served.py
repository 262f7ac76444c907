"""What is measured, started for the time of a measurement: a streamer, or a bare server."""

from __future__ import annotations

import json
import socket
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.live._links import Target
from bench.live._started import Started
from engines.backends import DEFAULT_LADDER, Arithmetic
from engines.bundle import Bundle
from engines.errors import CellgateError
from streamer.demo import Child
from streamer.journal import read_journal

Transport = Literal["ipc", "tcp"]


@dataclass(frozen=True)
class How:
    """How a streamer is to be run: the fields of its configuration's `[engine]`, and what a bench adds.

    `instant` takes the engine that answers at once. `stamps` and `profile` cost the streamer some time, so they are
    asked for only where their figures are wanted. `spin` is the streamer's own setting.
    """

    engine: str = "auto"
    precision: Arithmetic = "fp32"
    threads: int = 0
    ladder: tuple[int, ...] = DEFAULT_LADDER
    slots: int = 4096
    publish_margin_us: float = 100.0
    instant: bool = False
    stamps: bool = False
    profile: bool = False
    spin: bool = False

    @property
    def top(self) -> int:
        """The largest batch."""
        return max(self.ladder)


class _Served(Started):
    """A child of ours that says `ready: `."""

    _child: Child
    ready: str
    """What it said of itself behind that word."""

    @property
    def pid(self) -> int:
        """Its process."""
        return self._child.pid

    def _begin(self, child: Child) -> None:
        self._child = self._stack.enter_context(child)
        self.ready = child.wait_for("ready: ").partition("ready: ")[2]


class Streaming(_Served):
    """A streamer in a process of its own, ready for loads. A context manager.

    Without stamps, profile and instant engine it is `cellgate run`, as a user runs it.
    """

    def __init__(self, bundle: Bundle, how: How, transport: Transport = "ipc") -> None:
        super().__init__()
        self._bundle, self._how = bundle, how
        with self._starting() as stack:
            self._directory = _directory(stack)
            self._endpoints = _endpoints(self._directory, ("cells", "decisions", "telemetry", "control"), transport)
            self._begin(self._streamer())

    def target(self, sort_delay_us: float | None = None) -> Target:
        """Return where to send cells; with a sort delay they have deadlines."""
        channels, height, width = self._bundle.frame_shape
        return Target(
            cells=self._endpoints["cells"],
            decisions=self._endpoints["decisions"],
            channels=self._bundle.manifest.input.channels[:channels],
            dtype=self._bundle.dtype.name,
            shape=(height, width),
            sort_delay_us=sort_delay_us,
        )

    def stop(self) -> None:
        """End the streamer; what it noted can then be read. `CellgateError` if it failed."""
        self._child.stop()
        if self._child.code != 0:
            raise self._child.failure()

    def stamps(self, series: str) -> dict[str, NDArray[np.int64]]:
        """Return `seq`, `submitted_ns`, `answered_ns` and `published_ns` of a series' cells that the engine had."""
        with np.load(self._directory / "stamps.npz") as file:
            rows = file["series"] == series
            names = ("seq", "submitted_ns", "answered_ns", "published_ns")
            return {name: file[name][rows].astype(np.int64) for name in names}

    def arrivals(self, series: str) -> dict[str, NDArray[np.int64]]:
        """Return `seq` and `arrival_ns` of a series' cells, from its journal."""
        decisions = read_journal(self._directory / "journals" / f"{series}.journal").decisions
        return {name: decisions[name].astype(np.int64) for name in ("seq", "arrival_ns")}

    def profile(self) -> dict[str, Any]:
        """Return how many samples of the loop fell into which stage, and the names of its threads."""
        found: dict[str, Any] = json.loads((self._directory / "profile.json").read_text())
        return found

    def _streamer(self) -> Child:
        how, directory = self._how, self._directory
        config = directory / "config.toml"
        config.write_text(_config(self._bundle, how, self._endpoints))
        arguments = ["--config", str(config)]
        if not (how.instant or how.stamps or how.profile):
            return Child("streamer", ["run", *arguments], directory)
        arguments += ["--instant"] if how.instant else []
        arguments += ["--stamps", str(directory / "stamps.npz")] if how.stamps else []
        arguments += ["--profile", str(directory / "profile.json")] if how.profile else []
        return Child("streamer", arguments, directory, module="bench.live.serve")


class Bare(_Served):
    """A bare server: a Python module that binds the endpoint it is given and says `ready: `. A context manager.

    Parameters
    ----------
    module
        Its name; it answers each message `[records, frames]` with the records.
    bundle
        Whose frames it is sent.
    arguments
        What it gets after the endpoint.
    """

    def __init__(self, module: str, bundle: Bundle, transport: Transport = "ipc", arguments: tuple[str, ...] = ()):
        super().__init__()
        self._bundle = bundle
        with self._starting() as stack:
            directory = _directory(stack)
            self._endpoint = _endpoints(directory, ("cells",), transport)["cells"]
            self._begin(Child(module.rpartition(".")[2], [self._endpoint, *arguments], directory, module=module))

    def target(self, sort_delay_us: float | None = None) -> Target:
        """Return where to send cells."""
        _, height, width = self._bundle.frame_shape
        channels, dtype = self._bundle.manifest.input.channels, self._bundle.dtype.name
        return Target(self._endpoint, None, channels, dtype, (height, width), sort_delay_us)


def _directory(stack: ExitStack) -> Path:
    """Return a directory that lives as long as `stack`; a short path, as an ipc path has about a hundred characters."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cg-")))


def _endpoints(directory: Path, names: tuple[str, ...], transport: Transport) -> dict[str, str]:
    if transport == "ipc":
        return {name: f"ipc://{directory}/{name}" for name in names}
    if transport != "tcp":
        raise CellgateError(f"bench: found transport {transport!r}, expected ipc or tcp")
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    try:
        return {name: f"tcp://127.0.0.1:{holder.getsockname()[1]}" for name, holder in zip(names, holders, strict=True)}
    finally:
        for holder in holders:
            holder.close()


def _config(bundle: Bundle, how: How, endpoints: dict[str, str]) -> str:
    """Return a configuration that keeps the cells of the bundle's first class."""

    def value(thing: object) -> str:
        return msgspec.json.encode(thing).decode()  # JSON's strings, numbers and lists are TOML's

    places = "".join(f"{name} = {value(endpoint)}\n" for name, endpoint in endpoints.items())
    first = value(bundle.classes[0])
    return f"""[streamer]
bundle = {value(str(bundle.path.resolve()))}
{places}journal = "journals"
slots = {how.slots}
spin = {value(how.spin)}

[engine]
name = {value(how.engine)}
precision = {value(how.precision)}
threads = {how.threads}
ladder = {value(how.ladder)}

[timing]
publish_margin_us = {how.publish_margin_us}

[[gate]]
name = "first"
way = "left"
where = {{ {first} = {{ min = 0.5 }} }}
"""
