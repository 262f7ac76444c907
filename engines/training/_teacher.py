"""A teacher: a bundle whose probabilities a smaller network learns to follow (Hinton et al. 2015).

The teacher is asked about the very cells the student is shown, turned and shifted as they are, so that it teaches
more than the recorded cells. It is a bundle like any other: its graph takes raw counts, so standardised frames are
brought back to counts first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.bundle import Bundle
from engines.errors import InputError
from engines.fit import fit_frames
from engines.quiet_openvino import ov
from engines.training._preprocess import Scaling


@dataclass(frozen=True)
class Teacher:
    """A bundle ready to be asked.

    Attributes
    ----------
    bundle
        Loaded.
    picked
        For each of the teacher's channels its place among the student's.
    order
        For each of the student's classes its place among the teacher's.
    tilt
        `(K,)` in the student's order: what brings the teacher's probabilities from the class mix they take for granted
        to that of the student's training cells.
    scaling
        Of the student's frames.
    """

    bundle: Bundle
    picked: list[int]
    order: list[int]
    tilt: NDArray[np.float32]
    scaling: Scaling
    compiled: ov.CompiledModel

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        channels: tuple[str, ...],
        mix: Mapping[str, float],
        scaling: Scaling,
        *,
        bfloat16: bool = False,
    ) -> Teacher:
        """Return a teacher for a student of these channels and classes, whose training cells have this class mix.

        It answers in float32, or in bfloat16 where the student is trained in that.

        Raises
        ------
        InputError
            The teacher needs a channel the student is not shown, or names other classes.
        """
        needed = bundle.manifest.input.channels
        missing = [name for name in needed if name not in channels]
        if missing:
            raise InputError("training", "teacher", f"channels {', '.join(needed)}", f"some of {', '.join(channels)}")
        if set(bundle.classes) != set(mix):
            raise InputError("training", "teacher", f"classes {', '.join(bundle.classes)}", ", ".join(mix))
        core = ov.Core()
        hint = {"INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32"}
        compiled = core.compile_model(core.read_model(bundle.graph()), "CPU", hint)
        picked = [channels.index(name) for name in needed]
        return cls(bundle, picked, [bundle.classes.index(name) for name in mix], _tilt(bundle, mix), scaling, compiled)

    def probabilities(self, frames: Tensor) -> Tensor:
        """Return `(b, K)` float32 in the student's order of classes, for standardised `(b, C, H, W)` frames."""
        found = self.compiled(self._counts(frames.detach().cpu().numpy()))["probabilities"]
        tilted = np.array(found)[:, self.order] * self.tilt
        return torch.from_numpy(tilted / tilted.sum(axis=1, keepdims=True)).to(frames.device)

    def _counts(self, frames: NDArray[np.float32]) -> NDArray[np.generic]:
        per_channel = (1, -1, 1, 1)
        counts = frames * self.scaling.scales.reshape(per_channel) + self.scaling.levels.reshape(per_channel)
        dtype, spec = self.bundle.dtype, self.bundle.manifest.input
        if dtype.kind == "u":
            counts = np.clip(np.rint(counts), 0, np.iinfo(dtype).max)  # type: ignore[type-var]
        picked = np.ascontiguousarray(counts[:, self.picked].astype(dtype))
        return fit_frames(picked, spec.height, spec.width, spec.fit)


def _tilt(bundle: Bundle, mix: Mapping[str, float]) -> NDArray[np.float32]:
    prior = bundle.manifest.training.get("prior")
    if not isinstance(prior, dict) or not all(isinstance(prior.get(name), int | float) for name in mix):
        return np.ones(len(mix), np.float32)
    return np.array([share / max(float(prior[name]), 1e-6) for name, share in mix.items()], np.float32)
