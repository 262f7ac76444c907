import pytest

from tests.support.report_samples import random_entries, write


@pytest.fixture
def journal(tmp_path):
    """A closed series of 500 cells, 10 s long."""
    return write(tmp_path / "s1.journal", random_entries(500, 7))
