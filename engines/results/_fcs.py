"""FCS 3.1: the file that every flow cytometry program opens.

The standard: Spidlen et al. 2010, Cytometry A 77A:97-100, doi:10.1002/cyto.a.20825.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from engines.results._fcs_plan import Plan, matrix, plan_of
from engines.results._table import About, Head, Results, ascii_json
from engines.results._values import distinct, printable

DELIMITER = "\x0c"
"""Between keywords and values: a form feed, which no value holds, since all are printable. So nothing is escaped."""
HEADER_LIMIT = 99_999_999
"""The largest offset that the header's eight characters can say."""
HEAD_KEY = "CELLGATE_HEAD"
LIMBS_KEY = "CELLGATE_LIMBS"
"""How many channels each column of the head has, in order."""
TEXT_BEGIN = 58

ABORTED = ("coincident", "hardware_abort")
"""Totals that make up $ABRT: events lost to coincidence."""
LOST = ("missing", "incomplete", "late", "overload", "engine_fault", "clock")
"""Totals that make up $LOST: events lost because a computer was busy or not in time."""


def write_fcs(results: Results, path: Path) -> int:
    """Write the table as float32, little-endian; return its number of rows. It is gone through twice.

    Codes stand for labels, which are in keywords. Integers beyond 2²⁴ are split into channels of 24 bits each. float64
    is rounded to float32. Text that is no code is left out, and named in `CELLGATE_LEFT_OUT`.
    """
    plan = plan_of(results)
    text, begin, end = _text(results.head, plan, path.name)
    with path.open("wb") as file:
        file.write(_header(len(text), begin, end))
        file.write(text)
        for chunk in results.chunks():
            file.write(matrix(plan, results.head, chunk).tobytes())
        if file.tell() != begin + 4 * plan.rows * len(plan.channels):
            raise RuntimeError(f"{path.name}: the table changed while it was written")
        file.write(b"00000000")  # no checksum
    return plan.rows


def _header(text_bytes: int, begin: int, end: int) -> bytes:
    data = (begin, end) if end <= HEADER_LIMIT else (0, 0)
    offsets = (TEXT_BEGIN, TEXT_BEGIN + text_bytes - 1, *data, 0, 0)
    return b"FCS3.1    " + "".join(f"{offset:>8}" for offset in offsets).encode()


def _text(head: Head, plan: Plan, name: str) -> tuple[bytes, int, int]:
    """Return the TEXT segment, and the offsets of the first and last byte of DATA, which stand in it."""
    keywords = _keywords(head, plan)
    size = 4 * plan.rows * len(plan.channels)
    begin = 0
    while True:
        end = max(begin, begin + size - 1)
        offsets = {"$BEGINDATA": str(begin), "$ENDDATA": str(end)}
        pairs = [f"{key}{DELIMITER}{value}" for key, value in (offsets | keywords).items()]
        text = (DELIMITER + DELIMITER.join(pairs) + DELIMITER).encode()
        if TEXT_BEGIN + len(text) == begin:
            return text, begin, end
        begin = TEXT_BEGIN + len(text)


def _keywords(head: Head, plan: Plan) -> dict[str, str]:
    about = head.about
    keywords = dict.fromkeys(("$BEGINANALYSIS", "$ENDANALYSIS", "$BEGINSTEXT", "$ENDSTEXT", "$NEXTDATA"), "0")
    keywords |= {"$BYTEORD": "1,2,3,4", "$DATATYPE": "F", "$MODE": "L"}
    keywords |= {"$PAR": str(len(plan.channels)), "$TOT": str(plan.rows)}
    for number, channel in enumerate(plan.channels, 1):
        keywords |= {f"$P{number}B": "32", f"$P{number}E": "0,0", f"$P{number}R": str(channel.reach)}
        keywords |= {f"$P{number}N": channel.name, f"$P{number}S": channel.label}
    if plan.time is not None:
        keywords["$TIMESTEP"] = f"{plan.time_step_s:.15g}"
    keywords |= _when(about) | _losses(about) | _who(about)
    # Keywords are the same to FCS whatever their capitals.
    names = distinct(printable(column.name).upper() for column in head.columns)
    keywords |= {
        f"CELLGATE_CODES_{name}": ascii_json(column.labels)
        for name, column in zip(names, head.columns, strict=True)
        if column.dtype == "code" and column.labels
    }
    left_out = [column.name for column, limbs in zip(head.columns, plan.limbs, strict=True) if not limbs]
    if left_out:
        keywords["CELLGATE_LEFT_OUT"] = ", ".join(left_out)
    keywords |= {LIMBS_KEY: ascii_json(plan.limbs), HEAD_KEY: head.json()}
    return {printable(key): printable(value).strip() or "-" for key, value in keywords.items()}


def _when(about: About) -> dict[str, str]:
    """Return the date and times of the series, UTC."""
    keywords = {}
    if about.started_unix_ns is not None:
        started = datetime.fromtimestamp(about.started_unix_ns / 1e9, UTC)
        # Month names are the standard's own, whatever the locale.
        month = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")[started.month - 1]
        keywords = {"$DATE": f"{started.day:02d}-{month}-{started.year:04d}", "$BTIM": _clock(started)}
    if about.ended_unix_ns is not None:
        keywords["$ETIM"] = _clock(datetime.fromtimestamp(about.ended_unix_ns / 1e9, UTC))
    return keywords


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}.{moment.microsecond // 10_000:02d}"


def _losses(about: About) -> dict[str, str]:
    if not about.series:  # of an offline run nothing of the kind is known
        return {}
    totals = about.totals
    return {
        "$ABRT": str(sum(totals.get(reason, 0) for reason in ABORTED)),
        "$LOST": str(sum(totals.get(reason, 0) for reason in LOST)),
    }


def _who(about: About) -> dict[str, str]:
    info = {key.casefold(): value for key, value in about.info.items()}
    keywords = {
        "$CYT": info.get("cytometer") or info.get("instrument") or "unknown",
        "$SRC": info.get("sample") or info.get("specimen") or about.cells,
        "$OP": info.get("operator", ""),
        "$COM": f"{about.software}, bundle {about.bundle} sha256 {about.bundle_sha256}, {about.engine}; times are UTC",
        "CELLGATE_CELLS": about.cells,
        "CELLGATE_BUNDLE": about.bundle,
        "CELLGATE_BUNDLE_SHA256": about.bundle_sha256,
        "CELLGATE_ENGINE": about.engine,
        "CELLGATE_COMMAND": about.command,
        "CELLGATE_CREATED": about.created,
        "CELLGATE_TOTALS": ascii_json(about.totals) if about.totals else "",
    }
    return {key: value for key, value in keywords.items() if value}
