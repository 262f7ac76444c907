"""What is to be trained, and how: everything but the cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal

from engines.bundle import Bundle
from engines.errors import InputError
from engines.training._merge import Merges
from engines.training._recipe import Recipe

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Plan:
    """How a network is to be made from labelled cells.

    Attributes
    ----------
    network
        One of `engines.networks.NETWORKS`.
    channels, guide
        Channels the network is shown, in order, None for all but the guide; a channel it learns to foretell.
    recipe
        Hyperparameters.
    merges
        New class → old classes.
    keep_groups
        Groups are kept whole when cells are split, where cells have groups.
    init_from, teacher
        Bundles: whose weights to start from, whose probabilities to follow.
    int8
        Put an int8 graph beside the FP32 one, if it answers as that does.
    seed, threads, device
        Of the split, the weights and the augmentation; PyTorch's threads, None as they are; where to compute.
    """

    network: str = "compact"
    channels: tuple[str, ...] | None = None
    guide: str | None = None
    recipe: Recipe = field(default_factory=Recipe)
    merges: Merges = field(default_factory=dict)
    keep_groups: bool = True
    init_from: Bundle | None = None
    teacher: Bundle | None = None
    int8: bool = True
    seed: int = 0
    threads: int | None = None
    device: Device = "auto"

    def __post_init__(self) -> None:
        """Refuse numbers that no run could use."""
        if self.threads is not None and self.threads < 1:
            raise InputError("training", "threads", self.threads, "1 or more")
        if not 0 <= self.seed < 1 << 62:
            raise InputError("training", "seed", self.seed, "0 or more")

    def facts(self) -> dict[str, object]:
        """Return all that the result depends on, JSON-able."""
        return {
            "network": self.network,
            "channels": self.channels,
            "guide": self.guide,
            "recipe": asdict(self.recipe),
            "merge": {new: list(old) for new, old in self.merges.items()},
            "keep_groups": self.keep_groups,
            "init_from": _name(self.init_from),
            "teacher": _name(self.teacher),
            "seed": self.seed,
        }


def _name(bundle: Bundle | None) -> dict[str, str] | None:
    return None if bundle is None else {"name": bundle.manifest.name, "sha256": bundle.sha256}
