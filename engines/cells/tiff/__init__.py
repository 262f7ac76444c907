"""Readers of the TIFF family: ImageStream exports, BD CellView and montages of cells (TIFF or PNG)."""

from engines.cells.tiff._cellview import open_cellview, sniff_cellview
from engines.cells.tiff._imagestream import open_imagestream, sniff_imagestream
from engines.cells.tiff._montage import open_montage, sniff_montage

__all__ = [
    "open_cellview",
    "open_imagestream",
    "open_montage",
    "sniff_cellview",
    "sniff_imagestream",
    "sniff_montage",
]
