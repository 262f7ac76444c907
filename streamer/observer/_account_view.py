"""The account written out as sums, so that anyone can see that every cell is accounted for."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from streamer.observer._format import count, printable
from streamer.observer._pieces import BAD, QUIET, WARN, mark, section
from streamer.vocabulary import Account
from streamer.wire import JournalHealth, RecordingHealth, Snapshot


def account_section(snapshot: Snapshot) -> RenderableType:
    """Return the sums of the series, what arrived beside them, where the cells went, and the journal."""
    account = snapshot.account
    not_kept = sum(account.not_kept.values())
    all_sent = account.missing >= 0 and account.sent == account.decided + account.pending + account.missing
    all_decided = account.decided == account.kept + not_kept
    outcome = _terms(("decided", account.decided), ("pending", account.pending), ("missing", account.missing))
    width = max(len(count(account.sent)), len(count(account.decided)))
    wrong = [f"✗ {text}" for text in account.balance()]
    wrong += [f"✗ since start: {text}" for text in snapshot.lifetime.balance()]
    return section(
        "account of the series" if snapshot.series else "account of the last series",
        _sum("sent", account.sent, width, outcome, good=all_sent),
        _sum(
            "decided", account.decided, width, _terms(("kept", account.kept), ("not kept", not_kept)), good=all_decided
        ),
        *(Text(text, style=BAD) for text in wrong),
        _messages(account),
        _arrivals(account),
        _ways(snapshot.ways),
        _journal(snapshot.journal),
        *([] if snapshot.recording is None else [_recording(snapshot.recording)]),
    )


def _sum(name: str, value: int, width: int, terms: Text, *, good: bool) -> Text:
    # The mark comes first, so that a narrow screen cannot cut it off.
    figure = count(value).rjust(width)
    return Text.assemble(mark(good=good), (f" {name:<8}", QUIET), (figure, "bold"), " ", terms)


def _terms(*terms: tuple[str, int]) -> Text:
    line = Text()
    for position, (name, value) in enumerate(terms):
        line.append(" + " if position else "= ", QUIET).append(f"{name} ", QUIET)
        line.append(count(value), BAD if name == "missing" and value else "bold")
    return line


def _messages(account: Account) -> Text:
    rejected = {name: number for name, number in account.rejected.items() if number}
    line = Text("  ").append("messages ", QUIET).append(count(account.messages))
    line.append("  undelivered ", QUIET).append(count(account.undelivered), WARN if account.undelivered else "")
    line.append("  rejected ", QUIET).append(count(sum(rejected.values())), WARN if rejected else "")
    if rejected:
        reasons = ", ".join(f"{printable(name)} {count(number)}" for name, number in rejected.items())
        line.append(f" ({reasons})", WARN)
    return line


def _arrivals(account: Account) -> Text:
    line = Text("  ").append("received ", QUIET).append(count(account.received))
    for name, value in (("duplicates", account.duplicates), ("disordered", account.disordered)):
        line.append(f"  {name} ", QUIET).append(count(value), WARN if value else "")
    return line


def _ways(counts: dict[str, int]) -> Text:
    line = Text("  ").append("ways since start", QUIET)
    for key, value in sorted(counts.items(), key=lambda item: -item[1]):
        line.append(f"  {printable(key, 24)} ", QUIET).append(count(value))
    return line


def _journal(journal: JournalHealth) -> Text:
    behind = journal.handed - journal.synced - journal.dropped
    line = Text.assemble(mark(good=not journal.fault), (" journal ", QUIET), count(journal.synced))
    line.append(" records synced, ", QUIET).append(count(behind)).append(" behind", QUIET)
    if journal.dropped:
        line.append(f"  dropped {count(journal.dropped)}", BAD)
    if journal.fault:
        line.append(f"  {printable(journal.fault, 200)}", BAD)
    return line


def _recording(recording: RecordingHealth) -> Text:
    line = Text.assemble(mark(good=bool(recording.recorder)), (" recorder ", QUIET))
    line.append(printable(recording.recorder, 24) or "none")
    line.append("  frames recorded ", QUIET).append(count(recording.recorded))
    for name, value in (("skipped", sum(recording.skipped.values())), ("lost", recording.lost)):
        line.append(f"  {name} ", QUIET).append(count(value), WARN if value else "")
    return line
