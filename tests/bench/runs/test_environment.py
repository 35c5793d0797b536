"""The environment of a run."""

import pytest
import torch

from bench.runs.environment import environment


@pytest.mark.parametrize(("wanted", "begin"), [("auto", "Some GPU"), ("cpu", "CPU, ")])
def test_the_device_is_the_one_that_the_run_asks_for(
    monkeypatch: pytest.MonkeyPatch, wanted: str, begin: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda where: "Some GPU")
    assert environment(wanted)["device"].startswith(begin)
