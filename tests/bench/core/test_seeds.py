import numpy as np
import torch

from bench.core.seeds import derive, rng, torch_rng


def test_every_part_of_the_key_matters() -> None:
    keys = [(0, "masks", 1), (1, "masks", 1), (0, "crops", 1), (0, "masks", 2), (0, "masks", 1, 0)]
    assert len({derive(*key) for key in keys}) == len(keys)


def test_streams_repeat_and_leave_the_global_state_alone() -> None:
    torch.manual_seed(7)
    np.random.seed(7)
    before = torch.rand(1), np.random.rand()
    torch.manual_seed(7)
    np.random.seed(7)
    a, b = rng(0, "masks", 3).random(4), torch.rand(2, generator=torch_rng(0, "weights", "x"))
    assert (torch.rand(1), np.random.rand()) == before
    assert np.array_equal(a, rng(0, "masks", 3).random(4))
    assert torch.equal(b, torch.rand(2, generator=torch_rng(0, "weights", "x")))


def test_a_seed_is_the_same_on_every_machine() -> None:
    # From SHA-256: a change here would change every mask and every test pair.
    assert derive(0, "masks", 17) == 3972800885737089767
