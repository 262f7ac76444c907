"""What each kind of event looks like: the biology as one table of numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PHASES: tuple[str, ...] = ("G1", "S", "G2", "Prophase", "Metaphase", "Anaphase", "Telophase")
CHANNELS: tuple[str, ...] = ("brightfield", "PI", "darkfield")


class Kind(NamedTuple):
    """One kind of event. Lengths are pixels of 0.5 µm; a spread is a standard deviation of the natural logarithm.

    A body is two equal lobes pushed `body_split` to either side of the centre, a nucleus likewise with `dna_split`;
    a split of 0 is a single ellipse. `across` is the semi-axis along the bar, at right angles to the division axis,
    and `along` the semi-axis along that axis.
    """

    radius: float  # of one lobe of the body
    radius_spread: float
    body_split: float
    upright: float  # spread of the division axis about the direction of flow, radians; long bodies align with it
    dna: float  # PI, in units of a G1 cell's
    dna_spread: float
    across: float
    along: float
    dna_split: float
    clumps: float  # contrast of the chromatin's grain
    granules: float  # mean number of scattering granules
    focus: float  # median defocus, px²; larger cells sit closer to the stream's middle


# Sizes and PI amounts are those of the public Jurkat set (see _target.py): with
# condensed chromatin the stain reads somewhat above twice a G1 cell's, in G2 somewhat below.
KINDS: tuple[Kind, ...] = (
    Kind(9.1, 0.085, 0.0, 9.0, 1.00, 0.105, 9.1, 8.3, 0.0, 0.26, 15.0, 12.0),
    Kind(9.8, 0.085, 0.0, 9.0, 1.33, 0.085, 10.0, 9.1, 0.0, 0.26, 20.0, 10.0),
    Kind(10.8, 0.085, 0.0, 9.0, 1.83, 0.110, 11.1, 10.0, 0.0, 0.28, 25.0, 9.5),
    Kind(11.6, 0.075, 0.0, 9.0, 2.23, 0.120, 11.5, 10.1, 0.0, 0.44, 25.0, 9.0),
    Kind(11.4, 0.075, 0.0, 9.0, 2.33, 0.120, 12.2, 7.2, 0.0, 0.36, 28.0, 8.0),
    Kind(9.9, 0.050, 3.9, 0.9, 2.22, 0.100, 9.8, 4.9, 6.4, 0.22, 25.0, 7.0),
    Kind(8.5, 0.050, 8.4, 0.3, 2.10, 0.110, 8.7, 5.6, 9.2, 0.22, 26.0, 7.0),
    Kind(3.2, 0.280, 0.0, 9.0, 0.05, 0.900, 2.0, 1.8, 0.0, 0.30, 2.0, 11.0),  # debris
    Kind(8.5, 0.060, 9.0, 0.3, 2.05, 0.120, 8.2, 7.6, 9.0, 0.26, 28.0, 9.0),  # doublet: two G1 cells in one frame
)
DEBRIS, DOUBLET = len(PHASES), len(PHASES) + 1


def columns(kinds: NDArray[np.intp]) -> dict[str, NDArray[np.float32]]:
    """Return the table's columns for these kinds, `(n,)` float32 each, by name."""
    table = np.asarray(KINDS, dtype=np.float32)[kinds]
    return {name: table[:, index] for index, name in enumerate(Kind._fields)}
