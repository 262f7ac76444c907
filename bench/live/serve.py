"""`cellgate run` with what only a bench asks for: an engine that answers at once, stamps, a profile.

python -m bench.live.serve --config config.toml --instant --stamps stamps.npz --profile profile.json
"""

from __future__ import annotations

import argparse
import logging
import signal
from functools import partial
from pathlib import Path

from bench.live._instant import InstantEngine
from bench.live._profile import Profile
from bench.live._stamps import StampedEngine, StampedOutlet, Stamps
from engines.backends import DEFAULT_LADDER, Engine
from engines.bundle import load_bundle
from streamer.config import Config, load_config
from streamer.loop import Streamer, engine_for


def main() -> None:
    """Run until SIGTERM, then write what was asked for."""
    options = argparse.ArgumentParser()
    options.add_argument("--config", type=Path, required=True)
    options.add_argument("--instant", action="store_true", help="answer at once instead of running the bundle")
    options.add_argument("--stamps", type=Path, help="when each cell was submitted, answered and published")
    options.add_argument("--profile", type=Path, help="which stage the loop's time went to")
    chosen = options.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    config = load_config(chosen.config)
    engine = _engine(config, instant=chosen.instant)
    stamps, profile = Stamps(), Profile()

    def ready() -> None:
        if chosen.profile is not None:
            profile.start()
        print(f"ready: {engine.name}", flush=True)

    try:
        if chosen.stamps is None:
            streamer = Streamer(config, engine, ready)
        else:
            outlet = partial(StampedOutlet, stamps=stamps)
            streamer = Streamer(config, StampedEngine(engine, stamps), ready, outlet=outlet)
        signal.signal(signal.SIGTERM, lambda *_: streamer.stop())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the bench that started this ends it
        streamer.run()
    finally:
        profile.stop()
        engine.close()
    if chosen.stamps is not None:
        stamps.write(chosen.stamps)
    if chosen.profile is not None:
        profile.write(chosen.profile)


def _engine(config: Config, *, instant: bool) -> Engine:
    bundle, section = load_bundle(config.streamer.bundle), config.engine
    if instant:
        return InstantEngine(bundle, DEFAULT_LADDER if isinstance(section.ladder, str) else section.ladder)
    return engine_for(config, bundle).engine


if __name__ == "__main__":
    main()
