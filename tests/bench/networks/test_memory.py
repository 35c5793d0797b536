"""A network or training that cannot fit into memory is refused; the estimates are lower bounds."""

from typing import Any

import pytest

from bench.config import Config, override
from bench.core.errors import UserError
from bench.networks import memory
from bench.presets import preset
from bench.registry import find

GB = 10**9


def config(**options: Any) -> Config:
    return override(preset("paper"), {"device": "cpu", **options})


@pytest.mark.parametrize(
    ("method", "options", "told"),
    [
        ("no-gan", {"width": 512}, "--width 512 takes at least"),
        ("full", {"critic_width": 1000}, "--critic-width 1000 takes at least 87.0 GB"),
        ("full", {"batch_size": 8192}, "--batch-size 8192 at --size 256 takes at least"),
        ("full", {"size": 8192, "resize": 8192}, "--batch-size 48 at --size 8192 takes at least"),
        (
            "global-local",
            {"size": 4096, "resize": 4096, "batch_size": 2},
            "--critic-width 64 at --size 4096 takes at least 34.4 GB",
        ),
    ],
)
def test_what_cannot_fit_names_the_option(
    method: str, options: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "machine", lambda: 32 * GB)
    chosen = find(method)
    with pytest.raises(UserError, match=told) as caught:
        chosen.check(chosen.relevant(config(**options)))
    assert str(caught.value).endswith("and this machine has 32.0 GB; lower it")


def test_the_papers_size_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine", lambda: 16 * GB)
    for name in ("full", "pconv", "global-local", "contextual-attention"):
        find(name).check(config())


def test_a_network_is_counted_before_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine", lambda: GB / 10)
    with pytest.raises(UserError, match="--width 64 makes a network of 68,317,748 parameters"):
        find("full").build(config().model)


def test_the_memory_of_a_gpu_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine", lambda: GB)
    monkeypatch.setattr(memory, "GPUS", ("/dev/null",))
    find("full").check(config(device="auto"))
    with pytest.raises(UserError, match="GB"):
        find("full").check(config())


def test_the_critics_are_counted_low() -> None:
    from baselines.global_local.network import Discriminators
    from bench.training.critic import TwoColumnCritic

    built = sum(p.numel() for p in TwoColumnCritic(64, 8).parameters())
    assert 0.9 * built < memory.CRITIC * 8**2 <= built
    judges = Discriminators(128, 4)
    last = [column[-2].weight for column in (judges.local, judges.whole)]
    assert sum(weight.numel() for weight in last) == 2 * 8 * 16 * 4**2 * 2**2
