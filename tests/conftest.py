"""What tests share."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
JURKAT = REPOSITORY.parent / "shared/data/jurkat/jurkat.npz"


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory):
    """A bundle of 8×8 cells of two channels, whose answers are known."""
    from tests.support.toy import write_toy_bundle

    return write_toy_bundle(tmp_path_factory.mktemp("bundles") / "toy")


@pytest.fixture(scope="session")
def jurkat_file():
    """The real Jurkat cells, or a skip."""
    if not JURKAT.exists():
        pytest.skip("the real Jurkat cells are not beside the checkout (shared/data/jurkat/jurkat.npz)")
    return JURKAT


@pytest.fixture
def cellgate(tmp_path):
    """Run `cellgate` with these arguments in an empty directory, as a user does, in a process of its own."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "streamer.cli", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
