"""Engines of the toy bundle, and graphs that are not what their manifest says."""

import pytest

from engines.backends import open_engine


@pytest.fixture
def engine(toy_bundle):
    opened = open_engine(toy_bundle, "openvino", threads=1, ladder=(1, 2, 4, 8))
    yield opened
    opened.close()
