"""Amnis ImageStream and FlowSight files (`.cif`, `.rif`): images, masks and what the file says of them."""

from engines.cells.cif._open import open_cif, sniff_cif
from engines.cells.cif._recording import CifRecording

__all__ = ["CifRecording", "open_cif", "sniff_cif"]
