"""Each check fails on a method that is broken on purpose, and on no other ground."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.config import Model
from bench.conformance import checks
from bench.conformance.checks import CHECKS
from bench.conformance.report import report, run_checks
from bench.registry import Algorithm, ImportedWeights, Method, TrainedNetwork
from bench.training.learner import Learner, adam, detached

pytestmark = pytest.mark.usefixtures("one_thread")


class Sound(nn.Module):
    """A network that keeps the contract; the broken ones change one thing."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, model.width, 5, padding=2)
        self.last = nn.Conv2d(model.width, 3, 5, padding=2)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        x: Tensor = self.last(self.first(torch.cat([image, mask], 1)).relu()).sigmoid()
        return x


class SoundLearner(Learner):
    """Squared error of the whole image."""

    terms = ("total",)
    lr = 1e-2

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.generator, self.optimizer = self.prepare(self.network, adam(self.lr, (0.5, 0.9)))

    def step(self, holed: Tensor, mask: Tensor, target: Tensor, number: int) -> dict[str, Tensor]:
        loss = self.loss(self.generator(holed, mask), target)
        self.descend(self.optimizer, loss)
        return detached({"total": loss})

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean()


class Cropped(Sound):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return super().forward(image, mask)[..., :-1]


class EvenSidesOnly(Sound):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        half = super().forward(image, mask)[..., ::2, ::2]
        return nn.functional.interpolate(half, scale_factor=2)


class Doubled(Sound):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return super().forward(image, mask).double()


class TooBright(Sound):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return 2 * super().forward(image, mask)


class DividesByKnown(Sound):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        known = mask[..., 16:, 16:].sum((1, 2, 3), keepdim=True)
        return super().forward(image, mask) * known / known


class Echo(Sound):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return image + 0 * super().forward(image, mask)


class Writes(Sound):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return super().forward(image, mask.mul_(0.5))


class Random(Sound):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return super().forward(image, mask) * torch.rand(())


class DrawnWhenBuilt(Sound):
    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.shift = torch.rand(()).item()

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return super().forward(image, mask) * self.shift


class MixesTheBatch(Sound):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return super().forward(image - image.mean(), mask)


class Unused(Sound):
    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.more = nn.Linear(2, 2)


class DoesNotLearn(SoundLearner):
    lr = 1e-12


class InfiniteGradient(SoundLearner):
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - output.detach()).abs().sqrt().sum()


class InfiniteInAShortPhase(InfiniteGradient):
    def step(self, holed: Tensor, mask: Tensor, target: Tensor, number: int) -> dict[str, Tensor]:
        kind = InfiniteGradient if 0.18 <= number / self.steps < 0.2 else SoundLearner
        loss = kind.loss(self, self.generator(holed, mask), target)
        self.descend(self.optimizer, loss)
        return detached({"total": loss})


class GivesTheTarget(SoundLearner):
    def step(self, holed: Tensor, mask: Tensor, target: Tensor, number: int) -> dict[str, Tensor]:
        return super().step(target, mask, target, number)


def sound(model: Model) -> int:
    return 25 * model.width * 7 + model.width + 3


def method(**changes: Any) -> Method:
    defaults: dict[str, Any] = {
        "name": "sound", "family": "variant", "summary": "", "network": Sound,
        "parameters": sound, "learner": SoundLearner,
    }  # fmt: skip
    return TrainedNetwork(**(defaults | changes))


def failed(of: Method) -> dict[str, str]:
    return {r.check: r.reason for r in run_checks(of) if r.outcome == "FAILED"}


def test_a_sound_method_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([method()])
    out = capsys.readouterr().out
    assert out.count("ok  ") == len(CHECKS) - 1
    assert "skipped listed without torch: it is defined in no module" in out
    assert out.endswith("\nall checks passed\n")


@pytest.mark.parametrize(
    ("changes", "check", "reason"),
    [
        ({"network": Unused}, "parameters in closed form", "parameters` says"),
        ({"network": Cropped}, "any side from 16 pixels", "16x16 pixels: the output is"),
        ({"network": EvenSidesOnly}, "any side from 16 pixels", "17x23 pixels: the output is"),
        ({"network": Doubled}, "any side from 16 pixels", "torch.float64"),
        ({"network": TooBright}, "output finite and in range", "bounded=False"),
        ({"network": DividesByKnown}, "output finite and in range", "a huge hole"),
        ({"network": Writes}, "inputs left alone", "copy first"),
        ({"network": Random}, "same output again", "two calls"),
        ({"network": DrawnWhenBuilt}, "same output again", "built twice"),
        ({"network": MixesTheBatch}, "alone as in a batch", "other images of its batch"),
        ({"learner": InfiniteGradient}, "finite gradients", "gradient of first.weight is not fin"),
        ({"learner": InfiniteInAShortPhase}, "finite gradients", "not finite at step 190"),
        ({"learner": DoesNotLearn}, "steps lower the error", "should fall by a tenth"),
        ({"learner": GivesTheTarget}, "target kept from the network", "true pixels of the hole"),
        ({"ignores": frozenset({"steps"}), "limits": lambda config, images: 1 / 0},
         "accepts a small preset", "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_broken_method_fails_its_check(changes: dict[str, Any], check: str, reason: str) -> None:
    found = failed(method(**changes))
    assert reason in found.get(check, ""), found


def test_an_unbounded_method_may_leave_the_range() -> None:
    assert "output finite and in range" not in failed(method(network=TooBright, bounded=False))


def test_a_network_that_sees_the_hole_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The door blanks the hole; without it, a network that echoes its input is caught."""
    assert "blind to the hole" not in failed(method(network=Echo))
    monkeypatch.setattr("bench.evaluation.fill.blank", lambda image, mask: image)
    assert failed(method(network=Echo))["blind to the hole"].startswith("other true pixels")


def test_a_method_that_imports_torch_when_listed_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LIST", "import torch\n" + checks.LIST)
    assert "import torch inside" in failed(method(name="full"))["listed without torch"]


def test_a_method_without_training_skips_its_checks() -> None:
    shared: dict[str, Any] = {"name": "still", "family": "baseline", "summary": ""}
    for still in (
        Algorithm(**shared, network=Sound, parameters=sound),
        ImportedWeights(**shared, network=Sound, parameters=sound, load="math:sqrt"),
    ):
        outcomes = [result.outcome for result in run_checks(still)]
        assert outcomes == ["skipped", *["ok"] * 8, *["skipped"] * 3]


def test_failures_are_listed_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert not report([method(network=TooBright), method()])
    assert capsys.readouterr().out.endswith("\n1 failed: sound: output finite and in range\n")
