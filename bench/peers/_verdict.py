"""Whether the targets hold against a peer."""

from __future__ import annotations

from typing import Any

TIMES_THROUGHPUT = 2.0
OF_ENGINE = 0.95
OF_P99 = 0.2


def verdict(peer: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    """Compare a peer's row with Cellgate's.

    Parameters
    ----------
    peer
        Has `cells_per_s` and `latency`.
    beside
        Cellgate's `cells_per_s` and `engine_cells_per_s`, and its latency at half the peer's maximum rate.

    Returns
    -------
    dict
        `throughput_over_peer`, Cellgate's over the peer's, which is to be 2 at least unless Cellgate gives 95 % of
        what its engine can alone; `p99_ratio`, Cellgate's over the peer's at half the peer's maximum, to be a fifth at
        most; and whether each is met. A ratio that cannot be formed is None and not met.
    """
    ratio = _over(beside["cells_per_s"], peer["cells_per_s"])
    share = _over(beside["cells_per_s"], beside["engine_cells_per_s"])
    p99 = _over(_p99(beside), _p99(peer["latency"]["50%"]))
    lost = beside["failed"] or beside["missing"]
    return {
        "throughput_over_peer": _rounded(ratio),
        "p99_ratio": _rounded(p99),
        "throughput_met": (ratio or 0) >= TIMES_THROUGHPUT or (share or 0) >= OF_ENGINE,
        "p99_met": p99 is not None and p99 <= OF_P99 and not lost,
    }


def _over(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _p99(figures: dict[str, Any]) -> float | None:
    found: float | None = figures["latency_us"].get("p99")
    return found


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 3)
