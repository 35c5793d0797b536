"""For the tests of the variants, whose networks are tiny."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def quietly(one_thread: None) -> None:
    """On one thread."""
