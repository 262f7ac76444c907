"""A bundle made ready to take over from the one that decides: loaded, compiled, warmed and compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from engines.backends import Frames
from engines.bundle import Bundle, Manifest, find_bundle, load_bundle
from engines.errors import InputError
from streamer.config import Config
from streamer.decision import Gates, check_abstention
from streamer.loop._beside import Say
from streamer.loop._building import Build, Built, warmed
from streamer.wire import Swap

if TYPE_CHECKING:
    from engines.verify import Verdict


@dataclass(frozen=True)
class Situation:
    """What the new bundle has to fit into, as it was when the swap was asked for.

    `frames` are the slots', some of which hold cells that were seen: read only, and by others at the same time.
    """

    bundle: Bundle
    config: Config
    ways: tuple[str, ...]
    frames: Frames


@dataclass(frozen=True)
class Prepared(Built):
    """A bundle that may take over.

    Attributes
    ----------
    gates
        Those of the situation's configuration, compiled for it.
    verdict
        How its engine compares with the reference.
    """

    gates: Gates
    verdict: Verdict


def prepare(swap: Swap, situation: Situation, names: tuple[str, ...], build: Build, say: Say) -> Prepared:
    """Make a bundle ready; run beside the loop.

    Raises
    ------
    InputError
        It is not what the series, the gates or the slots need, or there are too few cells to compare on.
    BundleError, EngineError, MissingExtraError
        It is damaged, cannot be built, or its engine answers otherwise than the reference.
    """
    # Imported here: only a swap needs it.
    from streamer.loop._parity import require_parity

    say("loading")
    bundle = load_bundle(find_bundle(swap.bundle))
    check_fits(bundle, situation.bundle)
    gates = gates_for(situation.config, situation.ways, bundle.manifest)
    say("compiling")
    built = warmed(bundle, names, build)
    try:
        say("comparing")
        verdict = require_parity(built.engine, situation, swap.max_changed, swap.cells)
    except BaseException:
        built.engine.close()
        raise
    return Prepared(built.engine, built.best_seconds, built.names, gates, verdict)


def gates_for(config: Config, ways: tuple[str, ...], manifest: Manifest) -> Gates:
    """Return the gates compiled for another bundle; `InputError` if they ask for what it does not give."""
    check_abstention(config.decision, manifest)
    return Gates(config.gate, manifest, ways=ways)


def check_fits(new: Bundle, old: Bundle) -> None:
    """Raise `InputError` unless frames and records are the same with both: slots and journals cannot change."""
    if new.sha256 == old.sha256:
        raise InputError("swap", "bundle", f"{new.manifest.name} {new.sha256[:12]}, which decides", "another one")
    if new.classes != old.classes:
        raise InputError("swap", "classes", ", ".join(new.classes), f"{', '.join(old.classes)}, in this order")
    for name in msgspec.structs.fields(type(old.manifest.input)):
        found, wanted = (getattr(bundle.manifest.input, name.name) for bundle in (new, old))
        if found != wanted:
            raise InputError("swap", f"input.{name.name}", _text(found), f"{_text(wanted)}, as now")


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
