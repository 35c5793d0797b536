from types import SimpleNamespace
from typing import Any

import pytest

from bench.core.errors import UserError
from bench.training import processes
from bench.training.processes import ToldByFirstError, from_first, telling_others

ALONE: Any = SimpleNamespace(num_processes=1)
ONE_OF_TWO: Any = SimpleNamespace(num_processes=2)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The values that the first process sends and the second receives."""
    wire: list[Any] = []

    def broadcast(values: list[Any]) -> None:
        if wire:
            values[0] = wire[-1]
        else:
            wire.append(values[0])

    monkeypatch.setattr(processes, "broadcast_object_list", broadcast)
    return wire


def test_all_get_what_the_first_has(sent: list[Any]) -> None:
    assert from_first(ONE_OF_TWO, "plan") == "plan"
    assert from_first(ONE_OF_TWO, None) == "plan"
    assert from_first(ALONE, "mine") == "mine"


def test_nobody_waits_for_one_that_failed(sent: list[Any]) -> None:
    with pytest.raises(UserError, match="no folder"), telling_others(ONE_OF_TWO):
        raise UserError("no folder")
    with pytest.raises(ToldByFirstError):
        from_first(ONE_OF_TWO, None)


def test_one_process_tells_nobody(sent: list[Any]) -> None:
    with pytest.raises(UserError, match="no folder"), telling_others(ALONE):
        raise UserError("no folder")
    assert sent == []
