"""Try each engine on a bundle, in a process of its own: what hangs or crashes there is only a line here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from engines.backends import ENGINES
from engines.errors import BundleError, CellgateError

BUDGET_S = 180.0
"""How long an engine may take to load, compile, answer and be timed."""

_BUILDS = {"tensorrt": 900.0}
"""Engines that compile for minutes."""


class EngineCheck(msgspec.Struct, frozen=True):
    """What became of one engine.

    Attributes
    ----------
    name
        As `cellgate run --engine` takes it.
    works
        It loaded, answered, and answered rightly.
    found
        One line: what it says it is, or what went wrong.
    remedy
        What to do about that.
    error
        Largest difference of a probability from OpenVINO's in FP32.
    one_cell_us, best_batch, cells_per_s
        Time of a batch of one; the rung with the most cells per second, and how many.
    """

    name: str
    works: bool
    found: str
    remedy: str | None = None
    error: float | None = None
    one_cell_us: float | None = None
    best_batch: int | None = None
    cells_per_s: float | None = None


def check_engines(
    bundle: Path,
    names: Sequence[str] = ENGINES[1:],
    *,
    budget_s: float | None = None,
    progressed: Callable[[str], None] | None = None,
) -> Iterator[EngineCheck]:
    """Yield what became of each engine; `progressed` is told the name of each before it is tried."""
    for name in names:
        if progressed is not None:
            progressed(name)
        yield _check(name, bundle, _BUILDS.get(name, BUDGET_S) if budget_s is None else budget_s)


def _check(name: str, bundle: Path, budget_s: float) -> EngineCheck:
    here = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))
    try:
        done = subprocess.run(  # noqa: S603 - this Python, and a name of ours
            [sys.executable, "-m", "engines.doctor", name, str(bundle.resolve())],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=budget_s,
            check=False,
            env={**os.environ, "PYTHONPATH": paths},
        )
    except subprocess.TimeoutExpired:
        return EngineCheck(
            name, works=False, found=f"no answer within {budget_s:g} s", remedy="try it on an idle machine"
        )
    try:
        return msgspec.json.decode(done.stdout.strip().rpartition("\n")[2], type=EngineCheck)
    except (msgspec.DecodeError, msgspec.ValidationError):
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        how = f"killed by signal {-done.returncode}" if done.returncode < 0 else last[:200]
        return EngineCheck(
            name, works=False, found=how, remedy="reinstall its library; report it if that does not help"
        )


def failed(name: str, error: CellgateError) -> EngineCheck:
    """Return the check of an engine that could not be built or run."""
    text = str(error)
    if isinstance(error, BundleError):
        return EngineCheck(name, works=False, found=text, remedy="fetch or export the bundle anew")
    for mark, begin in (("pip install ", "pip install "), ("; ", "")):
        found, parted, remedy = text.rpartition(mark)
        if parted:
            return EngineCheck(name, works=False, found=found.rstrip(" :"), remedy=begin + remedy)
    return EngineCheck(name, works=False, found=text)
