"""The harness sees every cell: against real servers, over real sockets, from real processes."""

import msgspec
import numpy as np
import pytest

from bench.live import Bare, How, Load, Streaming, frames_for, play, spent, thread_seconds, write_instant_bundle
from engines.errors import CellgateError
from streamer.vocabulary import Reason

LADDER = (1, 2, 4, 8, 16)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_instant_bundle(tmp_path_factory.mktemp("instant") / "bundle", channels=1, height=16, width=16)


@pytest.fixture(scope="module")
def frames(bundle):
    return frames_for(bundle)


@pytest.fixture(scope="module")
def streamer(bundle):
    with Streaming(bundle, How(ladder=LADDER, instant=True)) as running:
        yield running


def decided_whole(outcome, cells):
    """Every cell was sent, decided and timed, and the streamer's account says so as well."""
    assert len(outcome) == cells
    assert outcome.errors() == []
    assert outcome.missing == 0
    assert (outcome.totals.account.sent, outcome.totals.missing) == (cells, 0)
    assert (outcome.received_ns >= outcome.planned_ns).all()
    return True


def test_an_open_loop_keeps_to_its_plan_whatever_is_answered(streamer, frames):
    outcome = play(streamer.target(), frames, Load(200, 1000.0, seed=3))
    again = play(streamer.target(), frames, Load(200, 1000.0, seed=3))
    assert decided_whole(outcome, 200)
    gaps, same = np.diff(outcome.planned_ns), np.diff(again.planned_ns)
    np.testing.assert_array_equal(gaps, same)  # the plan is the seed's, not the machine's
    assert 0.5e6 < gaps.mean() < 2e6, "a thousand a second"
    assert gaps.min() < 0.2e6, "Poisson arrivals come in clusters"
    assert (outcome.sent_ns >= outcome.planned_ns).all(), "nothing is sent before its time"
    assert (outcome.latency_us() > 0).all()


def test_latency_counts_from_the_plan_and_so_has_the_senders_own_lateness_in_it(streamer, frames):
    outcome = play(streamer.target(), frames, Load(300, 1000.0))
    late_ns = outcome.sent_ns - outcome.planned_ns
    assert (outcome.received_ns - outcome.planned_ns >= late_ns).all()
    figures = outcome.figures()
    assert figures["sender_lateness_us"]["max"] >= late_ns.max() / 1e3 - 0.1
    assert figures["jitter_us"] == pytest.approx(figures["latency_us"]["p999"] - figures["latency_us"]["p50"], abs=0.11)


@pytest.mark.parametrize("per_message", [1, 16])
def test_flat_out_every_cell_is_decided(streamer, frames, per_message):
    outcome = play(streamer.target(), frames, Load(1003, per_message=per_message, window=128))
    assert decided_whole(outcome, 1003)
    assert outcome.steady_cells_per_s > 0
    assert (outcome.reason == Reason.KEPT).all()
    assert outcome.client_cpu_s > 0


def test_several_senders_share_one_series(streamer, frames):
    outcome = play(streamer.target(), frames, Load(600, 500.0, per_message=4, senders=2))
    assert decided_whole(outcome, 600)


def test_with_a_sort_delay_a_decision_can_be_in_time_or_not(streamer, frames):
    roomy = play(streamer.target(sort_delay_us=5_000_000), frames, Load(100, 1000.0))
    assert decided_whole(roomy, 100)
    assert roomy.in_time.all()
    hopeless = play(streamer.target(sort_delay_us=1.0), frames, Load(100, 1000.0))
    assert decided_whole(hopeless, 100)
    assert not hopeless.in_time.any()
    assert set(hopeless.reason) <= {Reason.LATE, Reason.KEPT}
    assert hopeless.kept_late == 0


def test_processor_time_is_of_the_threads_that_spent_it(streamer, frames):
    before = thread_seconds(streamer.pid)
    play(streamer.target(), frames, Load(500))
    used = spent(before, thread_seconds(streamer.pid), streamer.pid)
    assert used["loop"] > 0
    assert used["zmq"] > 0


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_the_echo_answers_every_record(bundle, frames, transport):
    with Bare("bench.live.echo", bundle, transport) as echo:
        outcome = play(echo.target(), frames, Load(300, 2000.0, per_message=3))
        flat = play(echo.target(sort_delay_us=1e6), frames, Load(300, window=16))
    for found in (outcome, flat):
        assert (len(found), found.missing, found.totals, found.errors()) == (300, 0, None, [])
    assert (outcome.deadline_ns == 0).all()
    np.testing.assert_allclose(flat.deadline_ns - flat.planned_ns, 1e9, atol=1e9)


def test_stamps_and_journal_tell_the_way_of_each_cell_in_order(bundle, frames):
    with Streaming(bundle, How(ladder=LADDER, instant=True, stamps=True), "tcp") as streamer:
        first, second = (play(streamer.target(), frames, Load(150, 1500.0, seed=seed)) for seed in (0, 1))
        streamer.stop()
        for outcome in (first, second):
            stamps, arrivals = streamer.stamps(outcome.series), streamer.arrivals(outcome.series)
            np.testing.assert_array_equal(np.sort(stamps["seq"]), np.arange(150))
            arrival_ns = np.zeros(150, np.int64)
            arrival_ns[arrivals["seq"]] = arrivals["arrival_ns"]
            seqs = stamps["seq"]
            way = [outcome.planned_ns[seqs], arrival_ns[seqs]]
            way += [stamps["submitted_ns"], stamps["answered_ns"], stamps["published_ns"], outcome.received_ns[seqs]]
            assert (np.diff(np.stack(way), axis=0) >= 0).all()


def test_a_profile_tells_stages_and_threads(bundle, frames):
    with Streaming(bundle, How(ladder=LADDER, instant=True, profile=True)) as streamer:
        play(streamer.target(), frames, Load(6000, per_message=1))
        streamer.stop()
        found = streamer.profile()
    assert found["samples"]["ingest"] > 0
    assert any(name.startswith("journal") for name in found["threads"].values())


def test_a_server_that_fails_is_told_with_its_last_words(toy_bundle):
    with pytest.raises(CellgateError, match=r"streamer ended with code 2: .*precision int8"):
        Streaming(toy_bundle, How(precision="int8"))


def test_a_sender_that_fails_is_told_with_its_last_words(streamer, frames):
    other = msgspec.structs.replace(streamer.target(), channels=("another",))
    with pytest.raises(CellgateError, match=r"sender-0 ended with code 1: refused .*: schema\.channels: found another"):
        play(other, frames, Load(10))


def test_a_load_that_is_none_is_told(streamer, frames):
    for load in (Load(0), Load(10, per_message=len(frames) + 1)):
        with pytest.raises(CellgateError, match="expected at least one of each"):
            play(streamer.target(), frames, load)
