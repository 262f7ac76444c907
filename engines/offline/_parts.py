"""What an unfinished run has so far: a folder of finished parts beside the result, from which it can go on."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.backends import Predictions
from engines.errors import InputError
from engines.offline._blocks import Block, Fact

PART_BYTES, PART_ROWS = 16 << 20, 16_384
_RUN = "run.json"
_LOOK_BYTES = 1 << 20
_Kept = tuple[Block, list[dict[str, NDArray[np.float32]]]]
"""What a part takes of a block: all but its frames, and the arrays of its batches."""
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, msgspec.DecodeError, msgspec.ValidationError)


class RunInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be the same for a run to go on: the cells, the bundle, and how it is computed."""

    cells: str
    cells_sha256: str
    bundle_sha256: str
    engine: str
    embedding: bool
    channels: tuple[int, ...]
    classes: str = "[]"
    """The names, as JSON: a label in a part is a place in them."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a part says beside its arrays: the cells it spans, those it leaves out, groups and facts of the others."""

    start: int
    end: int
    skipped: dict[str, int]
    timed: bool
    """Whether any cell has a trigger time."""
    groups: list[str]
    seen: bool
    facts: dict[str, list[Fact]]


class Parts:
    """The parts of one run, in `folder`. They are written on a thread of their own, one at a time.

    Parameters
    ----------
    folder
        Made where it is not there.
    resume
        Go on with what is there.

    Raises
    ------
    InputError
        The folder holds a run and `resume` is not asked for; or the run in it is of other cells, another bundle or
        other options.
    """

    def __init__(self, folder: Path, run: RunInfo, *, resume: bool) -> None:
        self._folder = folder
        self._files: list[Path] = []
        self._waiting: list[_Kept] = []
        self._under_way: tuple[Future[None], list[_Kept]] | None = None
        self._writer = ThreadPoolExecutor(1, "cellgate-parts")
        self._embedding = run.embedding
        self.end = self.rows = 0
        self.skipped: Counter[str] = Counter()
        try:
            self._open(run, resume)
        except OSError as error:
            raise InputError(folder, "folder", error.strerror or str(error), "one that can be written") from error

    def _open(self, run: RunInfo, resume: bool) -> None:
        if not (self._folder / _RUN).exists():
            self._folder.mkdir(parents=False, exist_ok=True)
            if any(self._folder.iterdir()):
                raise InputError(self._folder, "folder", "other files", "an empty folder, or one of an unfinished run")
            _put(self._folder / _RUN, msgspec.json.encode(run) + b"\n")
            return
        if not resume:
            raise InputError(self._folder, "folder", "an unfinished run", "--resume, or the folder removed")
        try:
            before = msgspec.json.decode((self._folder / _RUN).read_bytes(), type=RunInfo)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(self._folder / _RUN, "run", str(error), "what an unfinished run is of") from error
        for name in RunInfo.__struct_fields__:
            found, expected = getattr(before, name), getattr(run, name)
            if found != expected:
                raise InputError(self._folder, name, found, f"{expected}, to go on with the unfinished run")
        for number in range(1 << 30):
            path = self._path(number)
            part = _head(path) if path.exists() else None
            if part is None or part.start != self.end or part.end <= part.start:
                break
            self._note(path, part)

    def add(self, block: Block, found: list[Predictions]) -> None:
        """Add a classified block; when enough have come together a part is written meanwhile.

        Raises
        ------
        InputError
            A part before cannot be written.
        """
        # Without the frames, which are most of a block: their memory serves the next.
        bare = replace(block, frames=np.empty((0, *block.frames.shape[1:]), block.frames.dtype))
        self._waiting.append((bare, [_arrays(some, self._embedding) for some in found]))
        rows = sum(len(block) for block, _ in self._waiting)
        width = sum(array.shape[1] for array in self._waiting[-1][1][0].values()) if found else 1
        if rows >= PART_ROWS or 4 * rows * width >= PART_BYTES:
            self._begin()

    def flush(self) -> None:
        """Write what was added and is in no part yet; returns when it is in files."""
        self._settle()
        if self._waiting:
            self._begin()
            self._settle()

    def _begin(self) -> None:
        """Begin to write what waits, when what is being written is done."""
        self._settle()
        self._under_way = self._writer.submit(self._write, self._waiting), self._waiting
        self._waiting = []

    def _settle(self) -> None:
        """Wait for what is being written; if that failed it waits again, before what has come since."""
        if self._under_way is None:
            return
        written, kept = self._under_way
        failed = written.exception()
        self._under_way = None
        if failed is not None:
            self._waiting = kept + self._waiting
            raise failed

    def _write(self, kept: list[_Kept]) -> None:
        blocks = [block for block, _ in kept]
        path = self._path(len(self._files))
        part = _joined(blocks)
        arrays: dict[str, NDArray[Any]] = {
            name: np.concatenate([getattr(block, name) for block in blocks])
            for name in ("index", "labels", "trigger_s", *(["seen"] if blocks[0].seen is not None else []))
        }
        found = [some for _, several in kept for some in several]
        arrays |= {name: np.concatenate([some[name] for some in found]) for name in (found[0] if found else {})}
        buffer = io.BytesIO()
        np.savez(buffer, part=np.frombuffer(msgspec.msgpack.encode(part), np.uint8), **arrays)  # type: ignore[arg-type]
        try:
            _put(path, buffer.getbuffer())
        except OSError as error:
            raise InputError(path, "part", error.strerror or str(error), "a file that can be written") from error
        self._note(path, part)

    def parts(self) -> Iterator[Part]:
        """Yield what each part says beside its arrays."""
        for path in self._files:
            part = _head(path)
            if part is None:
                raise InputError(path, "part", "damaged", "as it was written")
            yield part

    def rows_of(self) -> Iterator[tuple[Part, dict[str, NDArray[Any]]]]:
        """Yield each part that has rows, with its arrays."""
        for path in self._files:
            try:
                # NumPy leaves a file that it opens itself open where it turns out to be damaged.
                with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                part = msgspec.msgpack.decode(arrays.pop("part").tobytes(), type=Part)
            except _BROKEN as error:
                raise InputError(path, "part", str(error), "as it was written") from error
            if len(arrays["index"]):
                yield part, arrays

    def remove(self) -> None:
        """Remove the parts and their folder."""
        self._writer.shutdown()
        for path in (*self._folder.glob("part-*.npz"), self._folder / _RUN):
            path.unlink(missing_ok=True)
        self._folder.rmdir()

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.npz"

    def _note(self, path: Path, part: Part) -> None:
        self._files.append(path)
        self.end = part.end
        self.rows += len(part.groups)
        self.skipped.update(part.skipped)


def identity(path: Path, *, without: Iterable[Path] = ()) -> str:
    """Return a SHA-256 that changes when cells do: of names, sizes and times, and of a file's first and last MiB.

    Of a folder all files below it count, but those in `without` and what is in them.
    """
    digest = hashlib.sha256()
    try:
        for file in _files_below(path, without) if path.is_dir() else [path]:
            state = _state(file)
            name = os.path.relpath(file, path) if file != path else ""
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="surrogateescape"))
        if path.is_file():
            with path.open("rb") as file_:
                digest.update(file_.read(_LOOK_BYTES))
                file_.seek(max(0, path.stat().st_size - _LOOK_BYTES))
                digest.update(file_.read(_LOOK_BYTES))
    except OSError as error:
        raise InputError(path, "file", error.strerror or str(error), "a readable file or folder") from error
    return digest.hexdigest()


def _files_below(path: Path, without: Iterable[Path]) -> list[Path]:
    """Return the files, sorted; no folders, whose times change with whatever is put into them."""
    ours = {(file.parent.resolve(), file.name) for file in without}
    found = []
    for folder, folders, files in os.walk(path):
        real = Path(folder).resolve()
        folders[:] = [name for name in folders if (real, name) not in ours]
        found += [Path(folder, name) for name in files if (real, name) not in ours]
    return sorted(found)


def _state(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except OSError:  # a link to nothing is no cell, and no reason to stop
        return file.lstat()


def _arrays(found: Predictions, embedding: bool) -> dict[str, NDArray[np.float32]]:
    arrays = {"probabilities": found.probabilities, "measurements": found.measurements}
    return arrays | ({"embedding": found.embedding} if embedding else {})


def _joined(blocks: list[Block]) -> Part:
    names = dict.fromkeys(name for block in blocks for name in block.facts)
    return Part(
        start=blocks[0].start,
        end=blocks[-1].end,
        skipped=dict(sum((block.skipped for block in blocks), Counter())),
        timed=any(bool((~np.isnan(block.trigger_s)).any()) for block in blocks),
        groups=[group for block in blocks for group in block.groups],
        seen=blocks[0].seen is not None,
        facts={
            name: [value for block in blocks for value in block.facts.get(name, [None] * len(block))] for name in names
        },
    )


def _head(path: Path) -> Part | None:
    """Return what a part says beside its arrays, None where it is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return msgspec.msgpack.decode(file["part"].tobytes(), type=Part)
    except _BROKEN:
        return None


def _put(path: Path, payload: bytes | memoryview) -> None:
    half_done = path.with_name(f".{path.name}.tmp")
    half_done.write_bytes(payload)
    half_done.replace(path)
