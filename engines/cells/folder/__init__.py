"""Class folders: images of cells, sorted into a folder per class."""

from engines.cells.folder._open import open_folder, sniff_folder
from engines.cells.folder._recording import FolderRecording

__all__ = ["FolderRecording", "open_folder", "sniff_folder"]
