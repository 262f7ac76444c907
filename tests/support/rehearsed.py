"""Functions to rehearse, which end as libraries do that are given a damaged file."""

import os
import signal
import time

from engines.errors import CellsError, InputError, MissingExtraError


def length(path, times=1):
    """Return the bytes of a file, so many times."""
    print("what a library prints is no answer")
    return path.stat().st_size * times


def refuse(path, how):
    """Raise what a reader raises."""
    if how == "extra":
        raise MissingExtraError("reading", "files")
    raise {"cells": CellsError, "input": InputError}[how](path, "field", "this", "that")


def surprise(path):
    """Raise what no reader raises."""
    raise ZeroDivisionError("by a number in the file")


def die(path):
    """End as a fault in C does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(path):
    """Never come back."""
    with (path.parent / "asked").open("a") as asked:
        asked.write("x")
    while True:
        pass


def sleep(path):
    """Never come back, and take no processor time over it."""
    while True:
        time.sleep(1)


def swell(path):
    """Ask for as much memory as a file may name."""
    return len(bytearray(16 << 30))
