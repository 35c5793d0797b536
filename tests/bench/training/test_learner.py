"""A learner's messages to the trainer: names for the log, and warnings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.bench.training.test_common import batch, learner, tiny
from tests.conftest import lesson

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("real", "fake", "changes", "warns"),
    [
        (0.999, 0.998, {}, True),
        (0.001, 0.002, {}, True),
        (0.999, 0.5, {}, False),
        (0.999, 0.998, {"critic_end": "linear"}, False),
        (0.999, 0.998, {"adversarial": 0.0}, False),
    ],
)
def test_a_saturated_critic_is_warned_about(
    real: float, fake: float, changes: dict[str, Any], warns: bool
) -> None:
    text = learner(tiny(**changes)).warning({"step": 1, "real": real, "fake": fake})
    assert bool(text) == warns
    assert not warns or "--critic-end linear" in text


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_the_draws_of_one(world: int) -> None:
    taught = learner(tiny())
    images = torch.zeros(6, 3, 8, 8)
    one = taught.mix(images, 17)
    assert one.shape == (6, 1, 1, 1) and not torch.equal(one, taught.mix(images, 18))
    shares = []
    for rank in range(world):
        taught.accelerator = SimpleNamespace(process_index=rank, num_processes=world)
        shares.append(taught.mix(images[rank::world], 17))
        assert torch.equal(shares[-1], one[rank::world])
    assert sum(map(len, shares)) == 6


@pytest.mark.parametrize("adversarial", [0.0, 0.1])
def test_the_logs_columns_are_the_terms(adversarial: float) -> None:
    taught = learner(tiny(adversarial=adversarial))
    assert list(taught.step(*lesson(*batch()), 0)) == list(taught.terms)
