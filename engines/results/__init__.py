"""Results: a table with one row per cell, and the field's own files to keep it in. See docs/results.md."""

from engines.results._atomic import replacing
from engines.results._files import ENDINGS, check_target, ending_of, is_results, read_results, write_results
from engines.results._table import About, Chunk, Column, Dtype, Head, Results, Role
from engines.results._values import distinct, merged_labels, printable

__all__ = [
    "ENDINGS",
    "About",
    "Chunk",
    "Column",
    "Dtype",
    "Head",
    "Results",
    "Role",
    "check_target",
    "distinct",
    "ending_of",
    "is_results",
    "merged_labels",
    "printable",
    "read_results",
    "replacing",
    "write_results",
]
