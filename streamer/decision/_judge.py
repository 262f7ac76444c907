"""Everything a configuration decides on a cell, as yes-or-no decisions: what `cellgate verify` compares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.backends import Predictions
from engines.bundle import Manifest
from streamer.config import Config
from streamer.decision._decide import decide
from streamer.decision._gates import Gates
from streamer.decision._gating_file import with_gating_file
from streamer.decision._spec import check_abstention


class ConfiguredGates:
    """The gates of a configuration, and the ways its cells are kept for: an `engines.verify.Judge`.

    Membership of every gate, then for each way whether the cell is kept for it, least confidence and most unfamiliarity
    included; armed, and in time.

    Raises `InputError` where the gates or limits ask for what the bundle does not give.
    """

    def __init__(self, config: Config, bundle: Manifest) -> None:
        config = with_gating_file(config)
        check_abstention(config.decision, bundle)
        self._rules = config.decision
        self._gates = Gates(config.gate, bundle)
        ways = (f"kept for {way}" for way in self._gates.ways[1:])
        self.names = (*(f"gate {name}" for name in self._gates.names), *ways)

    def decide(self, cells: Predictions) -> NDArray[np.bool_]:
        """Return the decisions on n cells, `(n, len(names))`."""
        verdicts = decide(
            cells,
            None,
            self._gates,
            min_confidence=self._rules.min_confidence,
            armed=True,
            max_unfamiliarity=self._rules.max_unfamiliarity,
        )
        kept = verdicts.way[:, None] == np.arange(1, len(self._gates.ways), dtype=np.uint8)
        return np.concatenate((self._gates.member(cells), kept), axis=1)
