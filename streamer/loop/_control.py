"""Changes while it runs: checked as a whole, made between two batches, written into the journal with who and why."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import zmq
from numpy.typing import NDArray

from engines.errors import InputError
from streamer.config import Config, parse_config
from streamer.decision import Gates, check_abstention, with_gating_file
from streamer.loop._live import Live
from streamer.loop._log import logger
from streamer.loop._operators import refused, tell_operator
from streamer.loop._recording import describe_series
from streamer.loop._series import Series
from streamer.loop._sessions import Sessions
from streamer.loop._swaps import Swaps
from streamer.loop._way_rules import check_ways
from streamer.report import tallied_gates
from streamer.vocabulary import Rejection
from streamer.wire import (
    PROTOCOL_VERSION,
    Ask,
    Change,
    Changed,
    Settings,
    Swap,
    Swapping,
    ToController,
    WireError,
    decode_from_controller,
)

CHANGEABLE = ("decision", "gate", "way")
"""The sections of the configuration that may change while the streamer runs."""

MAX_CODES = 32_767
"""Gate codes of one series: what a decision record can carry."""

Tree = dict[str, object]


class Control:
    """The control endpoint, and the one way by which anything changes while the streamer runs.

    Parameters
    ----------
    socket
        A bound ROUTER socket.
    """

    def __init__(self, live: Live, socket: zmq.Socket[bytes], sessions: Sessions, swaps: Swaps) -> None:
        self._live = live
        self._socket = socket
        self._sessions, self._swaps = sessions, swaps
        self._number = 0

    def serve(self) -> None:
        """Answer what operators have sent; at most a few at a time, for checking gates takes milliseconds."""
        for _ in range(4):
            try:
                peer, *parts = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            answer: ToController
            try:
                answer = self._answer(peer, parts)
            except InputError as error:
                self._live.log.warning("control", error)
                answer = refused(error)
            tell_operator(self._socket, peer, answer)

    def change(self, changes: Tree, author: str, reason: str) -> None:
        """Make a change, or raise `InputError` and leave everything as it is."""
        live = self._live
        config, gates = self._checked(changes)
        regated = gates is not live.gates
        if live.series is not None:
            _check_rules_stay(live.config, config)
            if live.series.sorting is not None:
                live.series.sorting.retarget(config, gates.ways)
        live.config, live.gates = config, gates
        if regated:
            live.gate_first = len(live.gate_names) if live.series is not None else 0
            live.gate_names = live.gate_names[: live.gate_first]
            live.gate_names += gates.names
        live.armed = config.decision.armed
        live.way_totals = _grown(live.way_totals, len(gates.ways))
        self._number += 1
        logger.info("change %d by %s (%s): %s", self._number, author, reason, ", ".join(changes))
        if live.series is not None:
            self._tell(live.series, changes, author, reason, regated=regated)

    def arm(self, armed: bool, author: str, reason: str) -> None:
        """Arm or disarm; nothing happens where it is so already."""
        if self._live.armed != armed:
            self.change({"decision": {"armed": armed}}, author, reason)

    def _checked(self, changes: Tree) -> tuple[Config, Gates]:
        """Return configuration and gates with the changes made, or raise `InputError`; nothing is touched."""
        live = self._live
        try:
            config = _changed(live.config, changes)
            check_abstention(config.decision, live.engine.bundle.manifest)
            # Ways keep their codes for as long as the streamer runs: receivers and journals go by them.
            gates = live.gates
            if config.gate != live.config.gate:
                gates = Gates(config.gate, live.engine.bundle.manifest, ways=live.gates.ways)
            check_ways(config, gates.ways)
        except InputError:
            raise
        except (ArithmeticError, ValueError, TypeError, RecursionError, np.linalg.LinAlgError) as error:
            # Numbers that pass every rule and still cannot be computed with must not end the loop.
            raise InputError("change", "changes", str(error), "settings that can be computed with") from error
        if len(live.gate_names) + len(gates.names) > MAX_CODES:
            raise InputError("change", "gate", f"{len(live.gate_names)} gates in this series so far", f"{MAX_CODES}")
        return config, gates

    def _tell(self, series: Series, changes: Tree, author: str, reason: str, *, regated: bool) -> None:
        """Write a change into the journal of the open series, and tell receivers of new codes."""
        live = self._live
        series.way_mix = _grown(series.way_mix, len(live.gates.ways))
        tree = _tree(live.config)
        series.journal.event(
            "change",
            {
                "monotonic_ns": time.monotonic_ns(),
                "author": author,
                "reason": reason,
                "changes": changes,
                "gates": list(live.gates.names),
                "first": live.gate_first,
                "ways": list(live.gates.ways),
                "gate": tree["gate"],
                "way": tree["way"],
            },
        )
        if regated:
            series.tally.use_gates(tallied_gates(live.config.gate, live.engine.bundle.classes), first=live.gate_first)
            live.outlet.change_legend(self._sessions.legend(series))
            if live.recording is not None:
                live.recording.describe(describe_series(live, live.recording, series))

    def _answer(self, peer: bytes, parts: list[bytes]) -> Settings | Changed | Swapping:
        if len(parts) != 1:
            raise WireError(Rejection.WRONG_PARTS, "parts", len(parts), "a header alone")
        message = decode_from_controller(parts[0])
        if message.version != PROTOCOL_VERSION:
            raise WireError(Rejection.UNKNOWN_VERSION, "version", message.version, str(PROTOCOL_VERSION))
        if isinstance(message, Ask):
            return self._settings()
        if isinstance(message, Swap):
            return self._swaps.ask(peer, message)
        assert isinstance(message, Change)  # noqa: S101 - the only other kind
        self.change(message.changes, message.author, message.reason)
        return Changed(self._number, self._sessions.status(self._live.series).state)

    def _settings(self) -> Settings:
        live = self._live
        status = self._sessions.status(live.series)
        tree = _tree(live.config)
        return Settings(
            version=PROTOCOL_VERSION,
            state=status.state,
            series=status.series,
            bundle=live.engine.bundle.manifest.name,
            bundle_sha256=live.engine.bundle.sha256,
            engine=live.engine.name,
            classes=live.engine.bundle.classes,
            ways=live.gates.ways,
            decision=cast("Tree", tree["decision"]),
            gate=cast("list[Tree]", tree["gate"]),
            changes=self._number,
            account=status.account,
        )


def _changed(config: Config, changes: Tree) -> Config:
    """Return the configuration with the changes, checked in every way a configuration file is."""
    if not changes:
        raise InputError("change", "changes", "nothing", " or ".join(CHANGEABLE))
    for section in changes:
        if section not in CHANGEABLE:
            raise InputError("change", section, "a section that cannot change", " or ".join(CHANGEABLE))
    tree = _tree(config)
    decision = changes.get("decision", {})
    if not isinstance(decision, dict):
        raise InputError("change", "decision", decision, "a table")
    merged: Tree = {**cast("Tree", tree["decision"]), **decision}
    from_file = "gating_ml" in decision
    if from_file or "gate" in changes:
        # All gates are replaced: what an earlier file brought goes with them.
        tree["gate"] = changes.get("gate", [])
        if not from_file:
            merged |= {"gating_ml": None, "ways": None}
    tree["decision"] = merged
    if "way" in changes:
        tree["way"] = changes["way"]
    new = parse_config(tree, "change", Path("/"))
    return with_gating_file(new) if from_file else new


def _check_rules_stay(old: Config, new: Config) -> None:
    """Refuse new window rules in mid-series, while cells wait by the old ones; targets may change at any time."""
    rules = ("mode", "leading_us", "trailing_us", "leading_drops", "trailing_drops")
    for name in {**old.way, **new.way}:
        before, after = old.way.get(name), new.way.get(name)
        if before is None or after is None or any(getattr(before, key) != getattr(after, key) for key in rules):
            found = "another mode or window while a series is open"
            if before != after:
                raise InputError("change", f"way.{name}", found, "targets only; the rest between two series")


def _tree(config: Config) -> Tree:
    return cast("Tree", msgspec.to_builtins(config))


def _grown(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.pad(counts, (0, size - len(counts)))
