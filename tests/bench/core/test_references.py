"""References name code without importing it."""

import math
from pathlib import Path

import pytest

from bench.core.errors import UserError
from bench.core.references import module_of, resolve
from bench.registry import TrainedNetwork, discover


def test_a_reference_is_resolved() -> None:
    assert resolve("math:sqrt") is math.sqrt
    assert resolve(math.sqrt) is math.sqrt


def test_the_module_is_known_without_importing_it() -> None:
    assert module_of("no.such:thing") == "no.such"
    assert module_of(Path.resolve) == "pathlib"


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("no.such:thing", "no.such cannot be imported: ModuleNotFoundError"),
        ("math:sqroot", "the reference 'math:sqroot' leads nowhere"),
        ("math", "the reference 'math' leads nowhere"),
        (":sqrt", " cannot be imported: ValueError"),
    ],
)
def test_a_reference_to_nothing_is_told_in_one_line(reference: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        resolve(reference)


@pytest.mark.parametrize("name", list(discover()))
def test_the_references_of_every_method_lead_somewhere(name: str) -> None:
    method = discover()[name]
    found = [method.network, method.limits, method.views, getattr(method, "load", None)]
    if isinstance(method, TrainedNetwork):
        found.append(method.learner)
    assert all(callable(resolve(reference)) for reference in found if reference)
