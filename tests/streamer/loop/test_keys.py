"""Beyond this machine only with CURVE keys: those of the streamer and of each client."""

import pytest
import zmq.auth

from streamer.client import CellSender, DecisionReceiver, SilentError
from tests.support.running import Running
from tests.support.talk import TOY_SCHEMA, check_account, collect_until_totals, send_toy, subscribe


@pytest.fixture
def keys(tmp_path):
    """Key pairs of the streamer, a camera it knows and a stranger."""
    for name in ("streamer", "camera", "stranger"):
        zmq.auth.create_certificates(tmp_path, name)
    known = tmp_path / "known"
    known.mkdir()
    (known / "camera.key").write_bytes((tmp_path / "camera.key").read_bytes())
    return tmp_path


def _secured(start_streamer, keys) -> Running:
    sections = (
        f'[security]\nserver_secret_key = "{keys / "streamer.key_secret"}"\nauthorized_keys = "{keys / "known"}"\n'
    )
    return start_streamer(sections=sections)


def test_a_client_with_an_authorized_key_is_served_and_others_are_not(start_streamer, keys):
    streamer = _secured(start_streamer, keys)
    good = {"server_key": keys / "streamer.key", "secret_key": keys / "camera.key_secret"}
    bad = {"server_key": keys / "streamer.key", "secret_key": keys / "stranger.key_secret"}
    for kwargs in (bad, {}):
        with CellSender(streamer.cells, **kwargs) as sender, pytest.raises(SilentError):
            sender.start("intruder", TOY_SCHEMA, timeout_s=1.5)
    with CellSender(streamer.cells, **good) as sender, DecisionReceiver(streamer.decisions, **good) as receiver:
        subscribe(receiver)
        sender.start("secret", TOY_SCHEMA)
        send_toy(sender, [1, 2])
        totals = sender.end()
        records, _ = collect_until_totals(receiver)
    assert len(records) == 2
    check_account(totals, streamer.journal("secret"))
