import pytest

from engines.backends import open_engine


@pytest.fixture(scope="session")
def toy_engine(toy_bundle):
    engine = open_engine(toy_bundle, ladder=(8,), threads=1)
    engine.warm()
    yield engine
    engine.close()
