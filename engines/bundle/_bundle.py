"""Load a bundle: read the manifest, check every hash, and hand out the parts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.bundle._manifest import (
    FORMAT,
    MANIFEST_NAME,
    VERSION,
    FileEntry,
    GraphEntry,
    GraphTarget,
    Manifest,
    Precision,
)
from engines.bundle._seen import fingerprints
from engines.errors import BundleError

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_SIDE, _MAX_CHANNELS, _MAX_CLASSES = 4096, 64, 1024
_MAX_MANIFEST_BYTES = 4 << 20


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk whose files were all found with the hashes its manifest states.

    Attributes
    ----------
    path
        The bundle's directory.
    manifest
        What it says of itself.
    sha256
        Hexadecimal SHA-256 of `manifest.json`, which names every other file's hash: the bundle's identity.
    """

    path: Path
    manifest: Manifest
    sha256: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities."""
        return self.manifest.classes

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """`(channels, height, width)` of one cell as the graph takes it."""
        spec = self.manifest.input
        return len(spec.channels), spec.height, spec.width

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Dtype of the raw counts the graph takes."""
        return np.dtype(self.manifest.input.dtype)

    def graph(self, precision: Precision = "fp32", target: GraphTarget = "any") -> Path:
        """Return the path of the ONNX graph of this precision; `BundleError` if the bundle has none.

        `target="gpu"`: the one made for TensorRT.
        """
        for entry in self.manifest.graphs:
            if (entry.precision, entry.target) == (precision, target):
                return self.path / entry.file
        have = ", ".join(map(_described, self.manifest.graphs))
        wanted = _described(GraphEntry(file="", sha256="", precision=precision, opset=0, target=target))
        raise BundleError(self.path / MANIFEST_NAME, "graphs", have, f"a graph of precision {wanted}")

    def seen(self, frames: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Tell which of these cells the bundle was trained or tuned on.

        `frames` is `(n, C, H, W)`, the bundle's channels in its order, before fitting. All False where the bundle
        carries no fingerprints.
        """
        entry = self.manifest.seen
        if entry is None:
            return np.zeros(len(frames), np.bool_)
        known = np.fromfile(self.path / entry.file, dtype="<u8").astype(np.uint64)
        return np.isin(fingerprints(frames), known)


def _described(entry: GraphEntry) -> str:
    return entry.precision if entry.target == "any" else f"{entry.precision} for {entry.target}"


def load_bundle(path: str | Path) -> Bundle:
    """Load and check the bundle in directory `path`.

    Raises
    ------
    BundleError
        The directory or manifest is missing or malformed, a file is missing, or a hash differs.
    """
    directory = Path(path)
    source = directory / MANIFEST_NAME
    try:
        with source.open("rb") as stream:
            raw = stream.read(_MAX_MANIFEST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        found = getattr(error, "strerror", None) or str(error)
        raise BundleError(directory, MANIFEST_NAME, found, "a bundle directory") from error
    if len(raw) > _MAX_MANIFEST_BYTES:
        raise BundleError(source, "size", "over 4 MiB", "at most 4 MiB")
    manifest = _decode(raw, source)
    _check(manifest, source)
    entries: list[FileEntry] = [*manifest.graphs]
    entries += [entry for entry in (manifest.seen, manifest.weights) if entry is not None]
    for entry in entries:
        _check_file(directory, entry, source)
    return Bundle(directory, manifest, hashlib.sha256(raw).hexdigest())


def _decode(raw: bytes, source: Path) -> Manifest:
    try:
        head = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(source, "manifest", str(error), "JSON") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        found = head.get("format") if isinstance(head, dict) else type(head).__name__
        raise BundleError(source, "format", found, FORMAT)
    if head.get("version") != VERSION:
        raise BundleError(source, "version", head.get("version"), f"version {VERSION}")
    try:
        return msgspec.convert(head, Manifest)
    except msgspec.ValidationError as error:
        raise BundleError(source, "manifest", str(error), f"a version {VERSION} manifest") from error


def _check(manifest: Manifest, source: Path) -> None:
    spec = manifest.input
    kinds = [(graph.precision, graph.target) for graph in manifest.graphs]
    rules: tuple[tuple[str, object, bool, str], ...] = (
        ("name", manifest.name, bool(_PLAIN_NAME.fullmatch(manifest.name)), "letters, digits, '.', '_', '-'"),
        ("classes", manifest.classes, _distinct(manifest.classes, 2, _MAX_CLASSES), "two or more distinct names"),
        ("input.channels", spec.channels, _distinct(spec.channels, 1, _MAX_CHANNELS), "one or more distinct names"),
        ("input.height", spec.height, 1 <= spec.height <= _MAX_SIDE, f"1 to {_MAX_SIDE}"),
        ("input.width", spec.width, 1 <= spec.width <= _MAX_SIDE, f"1 to {_MAX_SIDE}"),
        ("outputs.embedding", manifest.outputs.embedding, manifest.outputs.embedding >= 1, "1 or more"),
        ("graphs", manifest.graphs, ("fp32", "any") in kinds, "an fp32 graph"),
        ("graphs", [" for ".join(kind) for kind in kinds], len(set(kinds)) == len(kinds), "one graph of each kind"),
    )
    for field, found, good, expected in rules:
        if not good:
            raise BundleError(source, field, found, expected)


def _distinct(names: tuple[str, ...], least: int, most: int) -> bool:
    return least <= len(names) <= most and len(set(names)) == len(names) and all(names)


def _check_file(directory: Path, entry: FileEntry | GraphEntry, source: Path) -> None:
    # A bare name only: a manifest must not be able to point outside its own directory.
    if not _PLAIN_NAME.fullmatch(entry.file):
        raise BundleError(source, "file", entry.file, "a plain file name inside the bundle")
    file = directory / entry.file
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(file, "file", error.strerror or str(error), "a readable file") from error
    if found != entry.sha256:
        raise BundleError(file, "sha256", found, entry.sha256)


def pretrained(name: str) -> Path:
    """Return the directory of a bundle that is shipped with Cellgate (`digital`, `jurkat`, `jurkat-student`)."""
    return Path(__file__).parent.parent / "pretrained" / name


def find_bundle(name: str | Path) -> Path:
    """Return the directory a bundle's name on a command line means: a path, or a shipped bundle by its name."""
    bare = str(name)
    shipped = _PLAIN_NAME.fullmatch(bare) and not Path(bare).exists() and pretrained(bare).is_dir()
    return pretrained(bare) if shipped else Path(name)
