"""Did it get worse? Two result files beside each other, figure by figure, by ratio.

Figures that are ratios within one run (the streamer over its engine, over an echo, over its best) are compared between
any two files. Rates and processor time per cell are compared as well where both files come from the same kind of
machine: the same processor and number of cores. Latencies' tails are not: they tell more of what else ran.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from engines.errors import InputError

_MORE_IS_BETTER = ("_over_engine", "over_engine", "_over_best", "_over_maximum", "_over_peer")
_LESS_IS_BETTER = ("_ratio",)
_MORE_ON_ONE_MACHINE = ("cells_per_s", "goodput_per_s")
_LESS_ON_ONE_MACHINE = ("us_per_cell",)
_NAMES = ("name", "transport", "per_message", "senders", "frame_shape", "share", "rate", "class", "channels")
"""What tells the members of a list apart."""
_WHERE = ("processor", "cores")


@dataclass(frozen=True)
class Line:
    """One figure in both files; `ratio` is above 1 where the new one is better."""

    figure: str
    old: float
    new: float
    ratio: float

    def worse(self, tolerance: float) -> bool:
        """Whether it got worse by more than the tolerance."""
        return self.ratio < 1.0 - tolerance


def compare_files(old: Path, new: Path) -> list[Line]:
    """Return every figure that can be compared, in the order of the old file.

    Raises
    ------
    InputError
        A file is no result of a bench, or they have no figure in common.
    """
    before, after = _read(old), _read(new)
    same = all(before["environment"].get(name) == after["environment"].get(name) for name in _WHERE)
    found = dict(_figures(after, same))
    lines = []
    for name, (value, more_is_better) in _figures(before, same):
        if name in found and value > 0 and found[name][0] > 0:
            other = found[name][0]
            lines.append(Line(name, value, other, other / value if more_is_better else value / other))
    if not lines:
        raise InputError(new, "figures", "none that are in the other file too", f"a result of what {old} is of")
    return lines


def _read(path: Path) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise InputError(path, "result", error.strerror or str(error), "a file that can be read") from error
    except msgspec.DecodeError as error:
        raise InputError(path, "result", str(error), "JSON, as `cellgate bench … --json` writes it") from error
    if not isinstance(found, dict) or not isinstance(found.get("environment"), dict):
        raise InputError(path, "result", "no environment", "JSON, as `cellgate bench … --json` writes it")
    results = found.get("results")
    return found if isinstance(results, dict) else {**found, "results": {found.get("bench", "bench"): found}}


def _figures(report: dict[str, Any], same_machine: bool) -> Iterator[tuple[str, tuple[float, bool]]]:
    for bench, figures in report["results"].items():
        yield from _walk(figures, str(bench), same_machine)


def _walk(node: object, path: str, same_machine: bool) -> Iterator[tuple[str, tuple[float, bool]]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("results", "environment"):
                continue
            if isinstance(value, int | float) and not isinstance(value, bool):
                better = _direction(key, path, same_machine)
                if better is not None:
                    yield f"{path} {key}", (float(value), better)
            else:
                yield from _walk(value, f"{path} {key}", same_machine)
    elif isinstance(node, list):
        for member in node:
            if isinstance(member, dict):
                label = ", ".join(f"{name} {_text(member[name])}" for name in _NAMES if name in member)
                yield from _walk(member, f"{path} [{label}]", same_machine)


def _direction(key: str, path: str, same_machine: bool) -> bool | None:
    """Return whether more of this figure is better; None for one that is not compared."""
    if key.endswith(_MORE_IS_BETTER):
        return True
    if key.endswith(_LESS_IS_BETTER):
        return False
    if same_machine and key.endswith(_MORE_ON_ONE_MACHINE):
        return True
    if same_machine and (key.endswith(_LESS_ON_ONE_MACHINE) or path.endswith(" cpu_us_per_cell")):
        return False
    return None


def _text(value: object) -> str:
    return "×".join(map(str, value)) if isinstance(value, list) else str(value)
