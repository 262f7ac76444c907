"""Key pairs: the public file for the others, the secret one for its owner alone, and none ever overwritten."""

import os
import stat

import pytest
import zmq.auth

from engines.errors import InputError
from streamer.cli.keys import keys_command


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_pair_is_made_and_works(cellgate, tmp_path):
    result = cellgate("keys", "camera1", "--to", "some/where")
    assert (result.returncode, result.stderr) == (0, "")
    public, secret = tmp_path / "some/where/camera1.key", tmp_path / "some/where/camera1.key_secret"
    assert sorted((tmp_path / "some/where").iterdir()) == [public, secret]
    assert "camera1.key (give away)" in result.stdout
    assert "camera1.key_secret (keep)" in result.stdout
    assert mode(secret) == 0o600
    given, nothing = zmq.auth.load_certificate(public)
    known, kept = zmq.auth.load_certificate(secret)
    assert given == known == zmq.curve_public(kept)
    assert nothing is None
    assert kept not in public.read_bytes()


def test_every_pair_is_another(tmp_path):
    for name in "ab":
        keys_command(name, tmp_path)
    a, b = (zmq.auth.load_certificate(tmp_path / f"{name}.key_secret")[1] for name in "ab")
    assert a != b


@pytest.mark.parametrize("lost", ["me.key", "me.key_secret", None])
def test_keys_are_never_overwritten(tmp_path, lost):
    """Not even half a pair: who lost the public file has not lost the secret."""
    keys_command("me", tmp_path)
    if lost is not None:
        (tmp_path / lost).unlink()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="there already"):
        keys_command("me", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_name_that_is_taken_is_one_line(cellgate, tmp_path):
    keys_command("me", tmp_path / "keys")
    result = cellgate("keys", "me")
    assert result.returncode == 2
    assert result.stderr == "cellgate: keys/me.key: file: found there already, expected a name that is not taken\n"


def test_the_secret_is_never_readable_by_others_not_even_for_a_moment(tmp_path, monkeypatch):
    """Seen at the moment the mode is set: by then the file must be its owner's already."""
    seen = []
    chmod = os.chmod

    def watched(path, *arguments, **options):
        seen.append(mode(tmp_path / "me.key_secret"))
        chmod(path, *arguments, **options)

    previous = os.umask(0o022)
    try:
        monkeypatch.setattr(os, "chmod", watched)
        keys_command("me", tmp_path)
    finally:
        os.umask(previous)
    assert mode(tmp_path / "me.key_secret") == 0o600
    assert set(seen) <= {0o600}


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "-x", "a b", "a\nb", "x" * 65])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="NAME"):
        keys_command(name, tmp_path / "keys")
    assert not (tmp_path / "keys").exists()
