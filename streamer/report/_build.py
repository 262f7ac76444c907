"""From the tally to the report: rates, efficiencies, purities, and what has to be said beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamer.journal import JournalHeader
from streamer.report._chances import Chances
from streamer.report._interval import purity_interval
from streamer.report._plans import NO_PLAN, WayPlan
from streamer.report._tally import SortTally, WayCount
from streamer.report._types import HARDWARE_ABORTS, Aborts, Purity, SortReport, Timing, WayReport
from streamer.vocabulary import Account


def make_report(
    header: JournalHeader,
    tally: SortTally,
    account: Account,
    *,
    elapsed_s: float,
    ended: str = "",
    plans: Mapping[str, WayPlan] | None = None,
    timing: Timing | None = None,
    notes: Sequence[str] = (),
) -> SortReport:
    """Return the report of a series as it stands.

    Parameters
    ----------
    header
        What the series' journal starts with.
    tally, account
        Of the same cells.
    elapsed_s
        From the start of the series to its end, or to now.
    ended
        By what it ended; empty while it runs.
    plans
        Mode, window and target by way; None where they are not known.
    notes
        What a reader must know beside the numbers.
    """
    ways = [_way(way, WayPlan() if plans is None else plans.get(way.name, NO_PLAN), elapsed_s) for way in tally.ways()]
    return SortReport(
        series=header.series,
        ended=ended,
        started_unix_ns=header.started_unix_ns,
        elapsed_s=round(elapsed_s, 6),
        info=dict(header.info),
        bundle=header.bundle,
        bundle_sha256=header.bundle_sha256,
        engine=header.engine,
        software=header.software,
        sort_delay_us=header.sort_delay_us,
        actuation_lead_us=header.actuation_lead_us,
        total_events=account.sent,
        processed_percent=100 * tally.classified / account.sent if account.sent > 0 else None,
        ways=ways,
        account=account,
        missing=account.missing,
        account_errors=account.balance() + _disagreements(tally, account, ways),
        timing=timing,
        notes=[*notes, *(_mode_note(way) for way in ways if way.mode == "yield")],
    )


def _way(way: WayCount, plan: WayPlan, elapsed_s: float) -> WayReport:
    hardware = {label: count for label, count in way.aborts.items() if label in HARDWARE_ABORTS}
    software = {label: count for label, count in way.aborts.items() if label not in HARDWARE_ABORTS}
    why = _why_no_purity(way)
    return WayReport(
        name=way.name,
        gates=list(way.gates),
        mode=plan.mode,
        window_us=plan.window_us,
        target=plan.target,
        in_gate=way.in_gate,
        sorted=way.sorted,
        sort_rate_per_s=way.sorted / elapsed_s if elapsed_s > 0 else 0.0,
        efficiency_percent=100 * way.sorted / way.in_gate if way.in_gate else None,
        aborts=Aborts(hardware, software),
        purity=None if why else _purity(way.chances),
        purity_why=why,
    )


def _purity(chances: Chances) -> Purity:
    low, high = purity_interval(chances)
    return Purity(chances.mean, low, high, chances.cells)


def _why_no_purity(way: WayCount) -> str:
    # An estimate over some of the cells would be taken for one over all.
    if way.blind:
        gates = ", ".join(f"{name} ({cells} cells)" for name, cells in way.blind.items())
        return f"sorted by a gate that names no class: {gates}"
    return "" if way.chances.cells else "no cell was sorted"


def _mode_note(way: WayReport) -> str:
    return f"way {way.name} in yield mode: cells that share a sort window are not in its purity"


def _disagreements(tally: SortTally, account: Account, ways: list[WayReport]) -> list[str]:
    sorted_cells = sum(way.sorted for way in ways)
    rules = (
        (tally.decided == account.decided, f"tallied {tally.decided}, decided {account.decided}"),
        (sorted_cells + tally.strays == account.kept, f"sorted by ways {sorted_cells}, kept {account.kept}"),
        (not tally.strays, f"{tally.strays} cells kept by no gate that leads anywhere"),
    )
    return [text for holds, text in rules if not holds]
