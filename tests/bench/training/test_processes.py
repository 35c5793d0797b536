from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import distributed

from bench.core.errors import UserError
from bench.training import processes
from bench.training.processes import ToldByFirstError, any_process, from_first, telling_others

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


@pytest.fixture
def group() -> Iterator[None]:
    """A group of processes of which this is the only one."""
    distributed.init_process_group("gloo", rank=0, world_size=1, store=distributed.HashStore())
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("flags", [(False, True), (True, False), (False, False)])
def test_flags_are_exchanged_without_a_wait_for_the_device(flags: tuple[bool, bool]) -> None:
    """A number on the device `meta` cannot be read back, and so no wait for one goes unseen."""

    def reduce(counts: torch.Tensor, reduction: str) -> torch.Tensor:
        return counts

    one: Any = SimpleNamespace(num_processes=2, device=torch.device("meta"), reduce=reduce)
    assert any_process(one, *flags) == list(flags)
