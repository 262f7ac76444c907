"""Rehearsal: what a C library makes of a file, found out in a process that may hang or die in our place.

Nothing here knows any format. A reader names a function of its own; it is called with the file in a process under
limits of time and memory, and only when it comes back well does the reader do the same in earnest.
"""

from engines.rehearsal._rehearse import rehearse

__all__ = ["rehearse"]
