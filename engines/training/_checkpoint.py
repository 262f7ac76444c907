"""Keep a training run on disk after every epoch, so that an interruption costs one epoch at most."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import InputError

if TYPE_CHECKING:  # the command line knows this file and starts without PyTorch
    import torch

NAME = "training.pt"


@dataclass(frozen=True)
class Checkpoint:
    """The file a run is kept in, in the directory its bundle will be in.

    Attributes
    ----------
    path
        The file.
    identity
        Names the run: cells, split, recipe, network and seed. Another run's file is refused.
    resume
        Go on from the file if it is there; otherwise it is written over.
    """

    path: Path
    identity: str
    resume: bool

    def save(self, state: dict[str, Any]) -> None:
        """Write `state` (tensors, numbers, text); what was there stays whole until the new one is."""
        import torch

        part = self.path.with_suffix(".part")
        with part.open("wb") as stream:
            torch.save({"identity": self.identity, "state": state}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self.path)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the state to go on from, None where the run starts anew.

        Raises
        ------
        InputError
            The file is damaged, or another run's.
        """
        if not self.resume or not self.path.exists():
            return None
        import torch

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of strange protocols, before the error about them
                kept = torch.load(self.path, map_location=device, weights_only=True)
            identity, state = kept["identity"], kept["state"]
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
            found = str(error).partition("\n")[0] or type(error).__name__
            raise InputError(self.path, "checkpoint", found, "a whole one: remove it to start anew") from error
        if identity != self.identity:
            raise InputError(
                self.path,
                "checkpoint",
                "that of another run",
                "the same cells, options and seed, or no --resume",
            )
        return dict(state)

    def part(self, number: int) -> Checkpoint:
        """Return the checkpoint of one member of an ensemble; the first member's is the run's own."""
        if number == 0:
            return self
        path = self.path.with_name(f"{self.path.stem}-{number + 1}{self.path.suffix}")
        return replace(self, path=path, identity=f"{self.identity}-{number + 1}")

    def clear(self) -> None:
        """Remove the files: the run is over and its bundle written."""
        for path in (self.path, *self.path.parent.glob(f"{self.path.stem}-*{self.path.suffix}")):
            path.unlink(missing_ok=True)


def identity_of(facts: dict[str, object]) -> str:
    """Return a SHA-256 over JSON-able facts of a run."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
