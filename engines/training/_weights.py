"""A network's weights as they were trained, kept in the bundle so that another training can start from them.

An exported graph has its batch norm folded away and its calibration folded in: it cannot be trained further.
"""

from __future__ import annotations

import io
import zipfile
import zlib

import numpy as np
import torch
from torch import nn

from engines.bundle import Bundle
from engines.errors import BundleError, InputError

HEAD = "head."
_FIRST = "members.0."


def pack(network: nn.Module) -> bytes:
    """Return the network's state as an `.npz`, one array per name."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value.cpu().numpy() for name, value in network.state_dict().items()})
    return buffer.getvalue()


def start_from(network: nn.Module, name: str, bundle: Bundle) -> None:
    """Put a bundle's weights into a fresh network, all but those of its last layer (transfer, Kraus et al. 2017).

    Parameters
    ----------
    network
        Changed in place.
    name
        Its name, which has to be that of the bundle's network.

    Raises
    ------
    InputError
        The bundle holds another network, or one for other channels or sizes.
    BundleError
        It holds no weights to start from, or damaged ones.
    """
    source = bundle.path / "manifest.json"
    theirs = bundle.manifest.training.get("network")
    if theirs != name:
        raise InputError("training", "init-from", f"a bundle of the network {theirs}", f"one of {name}")
    if bundle.manifest.weights is None:
        raise BundleError(source, "weights", "nothing", "weights: a bundle made by `cellgate train`")
    fresh = network.state_dict()
    kept = _unpack(bundle)
    if any(key.startswith("members.") for key in kept):  # an ensemble: its first member
        kept = {key.removeprefix(_FIRST): value for key, value in kept.items() if key.startswith(_FIRST)}
    for key, value in kept.items():
        if key.startswith(HEAD):
            continue
        if key not in fresh or fresh[key].shape != value.shape:
            expected = f"{tuple(fresh[key].shape)}" if key in fresh else "no such weights"
            found = f"{key} of shape {tuple(value.shape)}"
            raise InputError("training", "init-from", found, f"{expected}: as many channels, and frames of its size")
        fresh[key] = value
    lacking = [key for key in fresh if not key.startswith(HEAD) and key not in kept]
    if lacking:
        raise BundleError(source, "weights", f"no {lacking[0]}", "all of the network's")
    network.load_state_dict(fresh)


def _unpack(bundle: Bundle) -> dict[str, torch.Tensor]:
    if bundle.manifest.weights is None:
        return {}
    file = bundle.path / bundle.manifest.weights.file
    try:
        # Opened here: NumPy leaves a file that is no archive open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: torch.from_numpy(np.array(archive[name])) for name in archive.files}
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
        raise BundleError(file, "weights", str(error), "a whole .npz of arrays") from error
