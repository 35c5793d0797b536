"""Every method that is found keeps the contract, those of installed packages included."""

import pytest

from bench.conformance.report import run_checks
from bench.registry import TrainedNetwork, discover, find

pytestmark = pytest.mark.usefixtures("one_thread")


# One of each kind of network, and the algorithms; the others share their code, and take a minute.
FAST = ("full", "pconv", "global-local", "contextual-attention")
METHODS = [
    name
    if name in FAST or not isinstance(method, TrainedNetwork)
    else pytest.param(name, marks=pytest.mark.slow)
    for name, method in discover().items()
]


@pytest.mark.parametrize("name", METHODS)
def test_method_keeps_the_contract(name: str) -> None:
    results = list(run_checks(find(name)))
    assert len(results) == 12
    assert not [str(result) for result in results if result.outcome == "FAILED"]
