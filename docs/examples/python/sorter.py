"""A sorter coupled to Cellgate: replace `actuate` by your own and this is all of it.

    python sorter.py

It prints what it would do and ends with the series.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from streamer.client import DecisionReceiver, Decisions
from streamer.wire import Legend, Totals

WASTE = 0


def actuate(way: str, ticks: int) -> None:
    """Arm the valve of `way` for the moment when the hardware counter reaches `ticks`. Replace it.

    It must return at once: hand the pair to the timer card or to a thread. Ticks that have passed must do nothing.
    """


def main() -> None:
    """Receive one series' decisions."""
    options = argparse.ArgumentParser(description="A sorter coupled to Cellgate.")
    options.add_argument("--from", dest="endpoint", default="tcp://127.0.0.1:5702", help="the decisions endpoint")
    options.add_argument("--server-key", type=Path, help="the streamer's public key; only beyond this machine")
    options.add_argument("--secret-key", type=Path, help="this sorter's secret key; only beyond this machine")
    chosen = options.parse_args()

    ways: tuple[str, ...] = ()
    sorted_by_way: Counter[str] = Counter()
    with DecisionReceiver(
        chosen.endpoint, "example sorter", server_key=chosen.server_key, secret_key=chosen.secret_key
    ) as receiver:
        print("waiting for a series …", flush=True)
        while True:
            message = receiver.receive(timeout_s=0.5)  # it also sends the heartbeats: call it all the time
            if isinstance(message, Legend):
                ways = message.ways
                delay = "no sort delay" if message.sort_delay_us is None else f"sort delay {message.sort_delay_us:g} µs"
                print(f"series {message.series}: ways {', '.join(ways)}; {delay}", flush=True)
            elif isinstance(message, Decisions):
                # Without a record a cell goes to waste, and so it does with way 0: only these are acted on.
                for record in message.records[message.records["way"] != WASTE]:
                    actuate(ways[record["way"]], int(record["actuate"]))
                    sorted_by_way[ways[record["way"]]] += 1
            elif isinstance(message, Totals):
                break
    account = message.account
    print(f"series {message.series} ended by {message.ended}: kept {account.kept} of {account.decided} decided")
    print(f"sorted here: {dict(sorted_by_way)}; decision messages missed: {receiver.missed}")


if __name__ == "__main__":
    main()
