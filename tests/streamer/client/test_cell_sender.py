"""The cytometer's side: a series is opened, sent and closed, whatever the streamer does not say."""

import time

import numpy as np
import pytest

from engines.errors import CellgateError, InputError
from streamer.client import CellSender, RefusedError, SilentError
from streamer.vocabulary import Account
from streamer.wire import (
    CellsHeader,
    End,
    FrameLayout,
    Heartbeat,
    Refused,
    Schema,
    Start,
    Status,
    Totals,
    decode_from_cytometer,
    schema_hash,
)

SCHEMA = Schema(channels=("a", "b"), dtype="uint16", timebase=(1, 10**9), shape=(3, 4))
EACH_ITS_SIZE = Schema(channels=("a", "b"), dtype="uint16", timebase=(1, 10**9), max_shape=(9, 9))
FRAMES = np.arange(5 * 2 * 3 * 4, dtype=np.uint16).reshape(5, 2, 3, 4)
TICKS = np.array([3, 5, 8, 2**63, 2**64 - 1], np.uint64)
TOTALS = Totals("s", "end", Account(sent=5, received=5), 0, "s.journal")


def messages(streamer, kind):
    """Return the messages of one kind that the streamer heard, in order."""
    return [m for m in (decode_from_cytometer(parts[0]) for parts in streamer.heard) if isinstance(m, kind)]


def heard_cells(streamer, until):
    """Wait until so many cells messages have come; return them with their frames' parts."""
    deadline = time.monotonic() + 20
    while len(messages(streamer, CellsHeader)) < until and time.monotonic() < deadline:
        time.sleep(0.01)
    streamer.finish()
    return [parts for parts in streamer.heard if isinstance(decode_from_cytometer(parts[0]), CellsHeader)]


class TestStart:
    def test_a_series_is_opened_with_what_was_asked_for(self, accepting):
        with CellSender(accepting.endpoint) as sender:
            answer = sender.start("s", SCHEMA, sort_delay_us=5e4, actuation_lead_us=10, info={"operator": "me"})
            assert (answer.series, answer.schema) == ("s", schema_hash(SCHEMA))
            accepting.finish()
            (start,) = messages(accepting, Start)
        assert (start.version, start.series, start.schema) == (1, "s", SCHEMA)
        assert (start.sort_delay_us, start.actuation_lead_us, start.info) == (5e4, 10, {"operator": "me"})

    def test_the_start_is_said_again_after_silence(self, streamer, accept):
        streamer.serve(lambda _: [accept(SCHEMA)] if len(streamer.heard) == 2 else [])
        with CellSender(streamer.endpoint) as sender:
            sender.start("s", SCHEMA, timeout_s=20)
        streamer.finish()
        first, second = messages(streamer, Start)[:2]
        assert (first.series, first.schema) == (second.series, second.schema)
        assert second.ticks > first.ticks, "each start tells the counter at its own moment"

    def test_answers_for_another_series_are_not_ours(self, streamer, accept):
        streamer.serve(lambda _: [accept(SCHEMA, "other"), Refused("other", "x", "y", "z"), accept(SCHEMA)])
        with CellSender(streamer.endpoint) as sender:
            assert sender.start("s", SCHEMA, timeout_s=20).series == "s"

    def test_a_refusal_says_why(self, streamer):
        streamer.serve(lambda _: [Refused("s", "schema.dtype", "uint16", "uint8")])
        with CellSender(streamer.endpoint) as sender:
            with pytest.raises(
                RefusedError, match=r"refused 's': schema\.dtype: found uint16, expected uint8"
            ) as caught:
                sender.start("s", SCHEMA, timeout_s=20)
            assert caught.value.refused.field == "schema.dtype"
            with pytest.raises(CellgateError, match="no series was started"):
                sender.send(FRAMES, TICKS)

    def test_silence_is_an_error_that_names_the_endpoint(self, streamer):
        with CellSender(streamer.endpoint) as sender, pytest.raises(SilentError, match=streamer.endpoint):
            sender.start("s", SCHEMA, timeout_s=0.2)

    @pytest.mark.parametrize(
        "endpoint", ["tcp://192.168.0.7:5701", "tcp://0.0.0.0:5701", "nonsense", "tcp://127.0.0.1", "udp://127.0.0.1:5"]
    )
    def test_an_endpoint_that_cannot_be_is_refused(self, endpoint):
        with pytest.raises(InputError, match="cells endpoint"):
            CellSender(endpoint)

    @pytest.mark.parametrize(
        "wrong",
        [{"series": "not a name!"}, {"series": ""}, {"sort_delay_us": -1.0}, {"sort_delay_us": float("nan")}],
    )
    def test_a_start_no_streamer_could_take_is_refused_at_once(self, streamer, wrong):
        """Sent, it would be set aside as malformed, and the sender would report a streamer that is not there."""
        with CellSender(streamer.endpoint) as sender:
            with pytest.raises(InputError):
                sender.start(**{"series": "s", "schema": SCHEMA, "timeout_s": 0.2, **wrong})
            assert streamer.hear(50) is None


class TestSend:
    def test_frames_arrive_as_they_were_sent(self, accepting):
        with CellSender(accepting.endpoint) as sender:
            sender.start("s", SCHEMA)
            sender.send(FRAMES[:2], TICKS[:2])
            sender.send(FRAMES[2:], TICKS[2:])
            assert sender.next_seq == 5
            found = heard_cells(accepting, 2)
        layout = FrameLayout(SCHEMA)
        seqs, ticks, frames = [], [], []
        for header_bytes, *parts in found:
            header = decode_from_cytometer(header_bytes)
            assert (header.series, header.schema) == ("s", schema_hash(SCHEMA))
            seqs += range(header.seq, header.seq + header.n)
            ticks += np.frombuffer(header.ticks, "<u8").tolist()
            frames.append(layout.view(header, header_bytes, parts))
        assert seqs == list(range(5))
        assert ticks == TICKS.tolist()
        assert np.array_equal(np.concatenate(frames), FRAMES)

    def test_a_seq_may_be_given_and_the_next_goes_on_from_the_highest(self, accepting):
        with CellSender(accepting.endpoint) as sender:
            sender.start("s", SCHEMA)
            for seq in (10, 3, None):
                sender.send(FRAMES[:1], TICKS[:1], seq=seq)
            found = heard_cells(accepting, 3)
        assert [decode_from_cytometer(parts[0]).seq for parts in found] == [10, 3, 11]

    def test_the_array_may_be_used_again_at_once(self, accepting):
        frames = FRAMES.copy()
        with CellSender(accepting.endpoint) as sender:
            sender.start("s", SCHEMA)
            for value in range(20):
                frames[...] = value
                sender.send(frames, TICKS)
            found = heard_cells(accepting, 20)
        assert [set(np.frombuffer(parts[1], "<u2").tolist()) for parts in found] == [{value} for value in range(20)]

    def test_memory_that_does_not_lie_in_a_row_is_sent_in_order(self, accepting):
        with CellSender(accepting.endpoint) as sender:
            sender.start("s", SCHEMA)
            sender.send(FRAMES[::-2, ::-1], TICKS[:3])
            ((_, body),) = heard_cells(accepting, 1)
        assert body == FRAMES[::-2, ::-1].tobytes()

    def test_a_checksum_covers_header_and_frames(self, accepting):
        schema = Schema(channels=("a", "b"), dtype="uint16", timebase=(1, 10**9), shape=(3, 4), checksum="crc32")
        with CellSender(accepting.endpoint) as sender:
            sender.start("s", schema)
            sender.send(FRAMES, TICKS)
            ((header, *parts),) = heard_cells(accepting, 1)
        assert len(parts[-1]) == 4
        frames = FrameLayout(schema).view(decode_from_cytometer(header), header, parts)
        assert np.array_equal(frames, FRAMES)

    def test_cells_of_their_own_sizes_and_lost_frames(self, accepting):
        cells = [FRAMES[0], None, FRAMES[1][:, :2, :1], np.full((2, 9, 9), 7, np.uint16)]
        with CellSender(accepting.endpoint) as sender:
            sender.start("s", EACH_ITS_SIZE)
            sender.send(cells, TICKS[:4])
            ((header, *parts),) = heard_cells(accepting, 1)
        found = FrameLayout(EACH_ITS_SIZE).view(decode_from_cytometer(header), header, parts)
        assert found[1] is None
        for i in (0, 2, 3):
            assert np.array_equal(found[i], cells[i])

    @pytest.mark.parametrize(
        ("frames", "ticks"),
        [
            (FRAMES.astype(np.float32), TICKS),
            (FRAMES.astype(np.int16), TICKS),
            (FRAMES.astype(np.uint8), TICKS),
            (FRAMES[:, :1], TICKS),
            (FRAMES[:, :, :2], TICKS),
            (FRAMES[0], TICKS[:1]),
            (FRAMES, TICKS[:4]),
            (FRAMES[:4], TICKS),
        ],
    )
    def test_frames_of_another_kind_are_not_sent(self, accepting, frames, ticks):
        with CellSender(accepting.endpoint) as sender:
            sender.start("s", SCHEMA)
            with pytest.raises(CellgateError, match="send: found"):
                sender.send(frames, ticks)
            assert sender.next_seq == 0
            sender.send(FRAMES, TICKS)
            assert len(heard_cells(accepting, 1)) == 1

    @pytest.mark.parametrize(
        "cells",
        [
            [FRAMES[0].astype(np.float32) + 0.5, FRAMES[1]],
            [FRAMES[0][:1], FRAMES[1]],
            [FRAMES[0][0], FRAMES[1]],
            [FRAMES[0]],
            [FRAMES[0], FRAMES[1], FRAMES[2]],
        ],
        ids=["dtype", "channels", "dimensions", "too few", "too many"],
    )
    def test_cells_of_their_own_sizes_are_checked_as_well(self, accepting, cells):
        """Above all the dtype: counts would otherwise be cut to whole numbers without a word."""
        with CellSender(accepting.endpoint) as sender:
            sender.start("s", EACH_ITS_SIZE)
            with pytest.raises(CellgateError):
                sender.send(cells, TICKS[:2])

    def test_foreign_byte_order_is_turned_and_not_refused(self, accepting):
        with CellSender(accepting.endpoint) as sender:
            sender.start("s", SCHEMA)
            sender.send(FRAMES, TICKS.astype(">u8"))
            ((header, body),) = heard_cells(accepting, 1)
        assert np.frombuffer(decode_from_cytometer(header).ticks, "<u8").tolist() == TICKS.tolist()
        assert body == FRAMES.astype("<u2").tobytes()

    def test_nothing_is_sent_before_a_start(self, streamer):
        with CellSender(streamer.endpoint) as sender, pytest.raises(CellgateError, match="no series"):
            sender.send(FRAMES, TICKS)


class TestHeartbeat:
    def test_heartbeats_go_out_between_cells_when_they_are_due(self, streamer, accept):
        streamer.serve(lambda parts: [accept(SCHEMA, heartbeat_s=0.05)] if b"start" in parts[0] else [])
        with CellSender(streamer.endpoint) as sender:
            sender.start("s", SCHEMA, timeout_s=20)
            until = time.monotonic() + 20
            while len(messages(streamer, Heartbeat)) < 3 and time.monotonic() < until:
                sender.send(FRAMES[:1], TICKS[:1])
                time.sleep(0.01)
        streamer.finish()
        beats = messages(streamer, Heartbeat)
        assert len(beats) >= 3
        assert {beat.series for beat in beats} == {"s"}
        ticks = [beat.ticks for beat in beats]
        assert ticks == sorted(set(ticks))
        assert len(messages(streamer, CellsHeader)) > len(beats) / 2

    def test_no_heartbeat_goes_out_before_it_is_due(self, streamer, accept):
        streamer.serve(lambda parts: [accept(SCHEMA, heartbeat_s=3600)] if b"start" in parts[0] else [])
        with CellSender(streamer.endpoint) as sender:
            sender.start("s", SCHEMA, timeout_s=20)
            for _ in range(50):
                sender.send(FRAMES[:1], TICKS[:1])
            sender.beat(now=True)
            heard_cells(streamer, 50)
        assert len(messages(streamer, Heartbeat)) <= 1

    def test_the_answer_to_a_heartbeat_is_the_status(self, streamer, accept):
        status = Status("s", "armed", 3, Account(sent=9))
        streamer.serve(lambda parts: [accept(SCHEMA)] if b"start" in parts[0] else [status])
        with CellSender(streamer.endpoint) as sender:
            sender.start("s", SCHEMA, timeout_s=20)
            assert sender.status is None
            until = time.monotonic() + 20
            while sender.status is None and time.monotonic() < until:
                sender.beat(now=True)
                time.sleep(0.01)
            assert sender.status == status

    def test_without_a_series_there_is_no_heartbeat(self, streamer):
        with CellSender(streamer.endpoint) as sender:
            sender.beat(now=True)
            assert streamer.hear(50) is None

    def test_ticks_are_of_the_timebase(self, streamer):
        micro = Schema(channels=("a",), dtype="uint8", timebase=(1, 10**6), shape=(1, 1))
        with CellSender(streamer.endpoint) as sender:
            before = time.monotonic_ns()
            ticks = sender.ticks_now(micro)
        assert before // 1000 <= ticks <= time.monotonic_ns() // 1000

    def test_start_and_heartbeats_carry_the_given_counter(self, streamer, accept):
        heard = []

        def answer(parts):
            message = decode_from_cytometer(parts[0])
            heard.append(message.ticks)
            return [accept(SCHEMA)] if isinstance(message, Start) else [Status("s", "armed", 0, Account())]

        streamer.serve(answer)
        with CellSender(streamer.endpoint, counter=iter(range(700, 800)).__next__) as sender:
            sender.start("s", SCHEMA, timeout_s=20)
            until = time.monotonic() + 20
            while sender.status is None and time.monotonic() < until:
                sender.beat(now=True)
                time.sleep(0.01)
        assert heard[:2] == [700, 701]


class TestEnd:
    def test_the_end_is_said_again_until_the_totals_come(self, streamer, accept):
        ends = []

        def answer(parts):
            message = decode_from_cytometer(parts[0])
            if isinstance(message, Start):
                return [accept(SCHEMA)]
            if isinstance(message, End):
                ends.append(message)
                return [TOTALS] if len(ends) == 2 else [Status("s", "armed", 1, Account())]
            return []

        streamer.serve(answer)
        with CellSender(streamer.endpoint) as sender:
            sender.start("s", SCHEMA, timeout_s=20)
            sender.send(FRAMES, TICKS)
            assert sender.end() == TOTALS
            with pytest.raises(CellgateError, match="no series"):
                sender.send(FRAMES, TICKS)
        assert ends == [End("s", 4)] * 2

    @pytest.mark.parametrize(("last", "expected"), [(None, -1), (99, 99)])
    def test_the_last_seq_is_what_was_sent_or_said(self, streamer, accept, last, expected):
        streamer.serve(lambda parts: [accept(SCHEMA)] if b"start" in parts[0] else [TOTALS])
        with CellSender(streamer.endpoint) as sender:
            sender.start("s", SCHEMA, timeout_s=20)
            sender.end(last_seq=last)
        assert messages(streamer, End) == [End("s", expected)]

    def test_totals_that_never_come_are_an_error(self, streamer, accept):
        streamer.serve(lambda parts: [accept(SCHEMA)] if b"start" in parts[0] else [])
        with CellSender(streamer.endpoint) as sender:
            sender.start("s", SCHEMA, timeout_s=20)
            with pytest.raises(SilentError, match="no totals of series s"):
                sender.end(timeout_s=0.2)

    def test_a_second_series_counts_from_0(self, streamer, accept):
        def answer(parts):
            message = decode_from_cytometer(parts[0])
            if isinstance(message, Start):
                return [accept(SCHEMA, message.series)]
            return [Totals(message.series, "end", Account(), 0, "")] if isinstance(message, End) else []

        streamer.serve(answer)
        with CellSender(streamer.endpoint) as sender:
            for series in ("s", "t"):
                sender.start(series, SCHEMA, timeout_s=20)
                sender.send(FRAMES, TICKS)
                assert sender.end(timeout_s=20).series == series
        assert [(m.series, m.seq) for m in messages(streamer, CellsHeader)] == [("s", 0), ("t", 0)]

    def test_an_end_without_a_series_is_an_error_and_not_a_wait(self, streamer):
        with CellSender(streamer.endpoint) as sender, pytest.raises(CellgateError, match="no series"):
            sender.end(timeout_s=0.2)

    def test_closing_twice_is_closing_once(self, streamer):
        sender = CellSender(streamer.endpoint)
        sender.close()
        sender.close()
