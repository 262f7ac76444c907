"""Recorded cells: one interface for every format they come in, and the way from there to one array."""

from engines.cells._cells import Cells
from engines.cells._frames_format import FRAMES_FORMAT, FRAMES_VERSION, RECORDED, fact_name
from engines.cells._gather import gather, pick_channels
from engines.cells._hints import HINT_HELP, bare_hint, parse_hints
from engines.cells._memory import available_memory
from engines.cells._npz import open_npz, read_npz
from engines.cells._open import is_digital, open_cells, skipped_lines
from engines.cells._readers import READERS, Reader, open_recording
from engines.cells._recording import Cell, Recording, Span
from engines.cells._sheet import contact_sheet
from engines.cells._size import spread
from engines.cells._summary import Summary, summarise
from engines.cells._write_npz import write_npz

__all__ = [
    "FRAMES_FORMAT",
    "FRAMES_VERSION",
    "HINT_HELP",
    "READERS",
    "RECORDED",
    "Cell",
    "Cells",
    "Reader",
    "Recording",
    "Span",
    "Summary",
    "available_memory",
    "bare_hint",
    "contact_sheet",
    "fact_name",
    "gather",
    "is_digital",
    "open_cells",
    "open_npz",
    "open_recording",
    "parse_hints",
    "pick_channels",
    "read_npz",
    "skipped_lines",
    "spread",
    "summarise",
    "write_npz",
]
