"""The benches' harness: start what is measured, send it a load planned beforehand, and see what became of each cell.

    with Streaming(bundle, How(precision="int8")) as streamer:
        outcome = play(streamer.target(sort_delay_us=20_000), frames_for(bundle), Load(cells=5000, rate=1000.0))
    outcome.figures()

One process sends and receives, at the moments planned for it and against which latency is counted; what is measured
runs in another. `Bare` is any server that answers decision records with decision records, such as `bench.live.echo`.
"""

from bench.live._cpu import spent, thread_seconds
from bench.live._drive import sleep_sharply
from bench.live._frames import frames_for
from bench.live._instant import InstantEngine, write_instant_bundle
from bench.live._links import Target
from bench.live._load import Load, play
from bench.live._outcome import Outcome
from bench.live._peer_links import peer_link
from bench.live._served import Bare, How, Streaming, Transport
from bench.live._speech import Speech
from bench.live._started import Started

__all__ = [
    "Bare",
    "How",
    "InstantEngine",
    "Load",
    "Outcome",
    "Speech",
    "Started",
    "Streaming",
    "Target",
    "Transport",
    "frames_for",
    "peer_link",
    "play",
    "sleep_sharply",
    "spent",
    "thread_seconds",
    "write_instant_bundle",
]
