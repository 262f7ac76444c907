"""The recorder: a process of its own that writes the frames of live series to files."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engines.errors import InputError
from streamer.recorder._about import UNHEARD
from streamer.recorder._choice import Choice
from streamer.recorder._feed import Feed, Heard
from streamer.recorder._names import Names
from streamer.recorder._series_file import SeriesFile
from streamer.recorder._store import Compression, library
from streamer.wire import Frames, Handed, Recording, Taken

PATIENCE_S = 5.0
"""After so long without a word from the streamer the user is told."""


@dataclass(frozen=True)
class How:
    """What is recorded, and how.

    Attributes
    ----------
    choice
        Which of the cells handed over are written.
    once
        Whether to end with the first series.
    """

    choice: Choice
    compression: Compression = "gzip"
    once: bool = False


def record(
    endpoint: str,
    names: Names,
    how: How,
    *,
    name: str = "recorder",
    server_key: Path | None = None,
    secret_key: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
    announce: Callable[[str], None] = lambda _text: None,
    progress: Callable[[str], None] = lambda _text: None,
) -> None:
    """Record every series of the streamer at `endpoint`, a file each, until `stop`.

    Parameters
    ----------
    announce
        Called with a line when a file is begun and when it is closed.
    progress
        Called about once a second with a line that says how far it is.

    Raises
    ------
    InputError
        The endpoint or a key cannot be used, the streamer has a recorder already, or a file cannot be written. What
        was written so far is closed and stays.
    MissingExtraError
        The library of the file format is not installed.
    """
    library(*(("zarr",) if names.zarr else ("h5py", "hdf5plugin")))
    with Feed(endpoint, name, server_key, secret_key) as feed:
        _Recorder(feed, endpoint, names, how, announce, progress).run(stop)


class _Recorder:
    def __init__(
        self,
        feed: Feed,
        endpoint: str,
        names: Names,
        how: How,
        announce: Callable[[str], None],
        progress: Callable[[str], None],
    ) -> None:
        self._feed, self._endpoint, self._names, self._how = feed, endpoint, names, how
        self._announce, self._progress = announce, progress
        self._file: SeriesFile | None = None
        self._last = Taken()
        self._done = False
        self._connected: bool | None = None
        """None before the user has been told either."""
        self._patience_until = time.monotonic() + PATIENCE_S

    def run(self, stop: Callable[[], bool]) -> None:
        progress_at = 0.0
        try:
            while not (stop() or self._done):
                heard = self._feed.receive(0.05, "" if self._file is None else self._file.handed.series)
                if heard is not None:
                    self._hear(heard)
                elif self._feed.silent:
                    self._miss()
                file = self._file
                if file is not None and file.due():
                    file.write()
                self._feed.tell(self._last if file is None else file.taken)
                if file is not None and time.monotonic() >= progress_at:
                    progress_at = time.monotonic() + 1.0
                    self._progress(summary(file))
            self._close(UNHEARD)
        except OSError as error:
            raise self._given_up(error) from error
        finally:
            self._feed.tell(self._last if self._file is None else self._file.taken, now=True)

    def _miss(self) -> None:
        if self._connected is not False and time.monotonic() > self._patience_until:
            self._connected = False
            self._announce(f"nothing is heard from {self._endpoint}: is a streamer there whose [recording] names it?")

    def _hear(self, heard: Heard) -> None:
        message, parts = heard
        file = self._file
        self._patience_until = time.monotonic() + PATIENCE_S
        if isinstance(message, Recording):
            self._describe(message)
        elif isinstance(message, Frames):
            if file is not None and file.handed.series == message.account.series:
                self._feed.took(file.add(parts, message.n, message.account))
            else:
                self._feed.took(sum(map(len, parts)) - len(parts[1]))
        elif isinstance(message, Handed):
            if file is not None and file.handed.series == message.series:
                file.hear(message)
        elif file is not None and file.handed.series == message.account.series:
            file.hear(message.account)
            self._close(message.ended)

    def _describe(self, recording: Recording) -> None:
        if not self._connected:
            self._connected = True
            self._announce(f"connected to {self._endpoint}, which hands over: {recording.what}")
        if self._file is not None:
            if self._file.continues(recording):
                return
            self._close(UNHEARD)
        if recording.series and not self._done:
            path = self._names.next(recording.series)
            try:
                self._file = SeriesFile(path, recording, self._how.choice, self._how.compression)
            except OSError as error:
                raise InputError(path, "file", error.strerror or str(error), "a file that can be written") from error
            self._announce(f"recording series {recording.series} to {path}")

    def _close(self, ended: str) -> None:
        file = self._file
        if file is None:
            return
        file.close(ended)
        self._last, self._file, self._done = file.taken, None, self._how.once
        self._feed.tell(self._last, now=True)
        self._announce(f"{summary(file)}; ended by {ended}; {file.path}")

    def _given_up(self, error: OSError) -> InputError:
        file = self._file
        assert file is not None  # noqa: S101 - only a file that is open is written to
        file.give_up()
        self._last, self._file = file.taken, None
        expected = f"room for more: {file.taken.recorded} cells are in the file, and recording has ended"
        return InputError(file.path, "file", error.strerror or str(error), expected)


def summary(file: SeriesFile) -> str:
    """Return the account of a series as a line; what is 0 is left out."""
    account = file.account()
    offered, recorded = account.pop("offered"), account.pop("recorded")
    rest = "".join(f" + {count} {name.replace('_', ' ')}" for name, count in account.items() if count)
    return f"series {file.handed.series}: {offered} cells offered = {recorded} recorded{rest}"
