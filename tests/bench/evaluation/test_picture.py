"""Networks that are ready to fill pictures."""

import pytest
import torch
from torch import Tensor, nn

from bench.evaluation import picture
from bench.evaluation.picture import Filler


class Constant(nn.Module):
    """Fills with its one weight."""

    def __init__(self, colour: float) -> None:
        super().__init__()
        self.colour = nn.Parameter(torch.tensor(colour))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return image * 0 + self.colour


def filled(filler: Filler, side: int) -> float:
    mask = torch.ones(1, 1, side, side)
    mask[..., 4:9, 4:9] = 0
    return float(filler(torch.zeros(1, 3, side, side), mask)[..., 4:9, 4:9].mean())


def test_compiled_weights_fill_pictures_of_their_size_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(picture, "Compiled", lambda network, batch: Constant(0.75))
    filler = Filler(Constant(0.25), torch.device("cpu"))
    assert filled(filler, 32) == 0.25
    filler.compile(32, 32)
    assert (filled(filler, 32), filled(filler, 40)) == (0.75, 0.25)


def test_a_filler_fills_in_place_and_fill_picture_a_copy() -> None:
    image, mask = torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    picture.fill_picture(Constant(0.5), image, mask, torch.device("cpu"))
    assert (image == 0).all()
    assert Filler(Constant(0.5), torch.device("cpu"))(image, mask) is image
    assert (image == 0.5).all()


def test_a_filler_is_in_evaluation_mode_and_knows_if_it_has_weights() -> None:
    assert not Filler(Constant(0.5).train(), torch.device("cpu")).network.training
    assert Filler(Constant(0.5), torch.device("cpu")).has_weights
    assert not Filler(nn.Identity(), torch.device("cpu")).has_weights
