"""Every method that is found keeps the contract, those of installed packages included."""

import pytest

from bench.conformance.report import run_checks
from bench.registry import discover, find

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", list(discover()))
def test_method_keeps_the_contract(name: str) -> None:
    results = list(run_checks(find(name)))
    assert len(results) == 12
    assert not [str(result) for result in results if result.outcome == "FAILED"]
