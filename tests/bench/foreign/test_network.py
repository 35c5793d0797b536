"""Model files as networks: real files under right conventions, and wrong ones refused."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.config import Model, override
from bench.conformance.checks import any_side, blind_to_the_hole
from bench.conformance.subject import Subject
from bench.core.errors import UserError
from bench.evaluation.fill import fill
from bench.foreign.method import find
from bench.foreign.network import _padded
from bench.foreign.probe import example
from bench.presets import preset
from tests.bench.foreign.conftest import onnx_file

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::torch.jit.TracerWarning")

Save = Callable[[Callable[..., object]], str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Save a TorchScript model that is traced from a function of its inputs."""

    def call(function: Callable[..., object]) -> str:
        module = nn.Module()
        names = inspect.signature(function).parameters
        module.forward = function  # type: ignore[method-assign]
        inputs = {"mask": torch.ones(1, 1, 32, 32), "joined": torch.rand(1, 4, 32, 32)}
        given = tuple(inputs.get(name, torch.rand(1, 3, 32, 32)) for name in names)
        file = tmp_path / "model.pt"
        torch.jit.save(torch.jit.trace_module(module, {"forward": given}), file)
        return f"torchscript:{file}"

    return call


def grey(image: Tensor) -> Tensor:
    """Return the mean of the channels in each of three."""
    return image.mean(1, keepdim=True).expand(-1, 3, -1, -1)


def filled(text: str, side: int = 40) -> tuple[Tensor, Tensor, Tensor]:
    """Return image, mask and what the model of a text makes of them."""
    image, mask = example(side, side + 3)
    return image, mask, fill(find(text).build(Model()), image, mask)


@pytest.mark.parametrize("kind", ["lama", "migan", "fixed"])
def test_published_conventions_fill_the_hole_and_keep_the_rest(
    kind: str, script: Path, pipeline: Path, tmp_path: Path
) -> None:
    texts = {
        "lama": f"torchscript:{script}:polarity=hole-white:multiple=8",
        "migan": f"onnx:{pipeline}:range=uint8",
        "fixed": f"onnx:{tmp_path / 'fixed.onnx'}:name=fixed:range=-1..1",
    }
    onnx_file(tmp_path / "fixed.onnx", "FLOAT", 0.0, 64)
    image, mask, output = filled(texts[kind])
    assert torch.allclose(output, torch.where(mask > 0, image, 0.5), atol=1 / 255)


def test_a_model_of_one_joined_input(save: Save) -> None:
    text = save(lambda joined: joined[:, :3] + 0.25 * (1 - joined[:, 3:]))
    image, mask, output = filled(f"{text}:order=image+mask")
    assert torch.allclose(output, image * mask + 0.25 * (1 - mask))


def test_a_picture_is_padded_by_its_mirror_image() -> None:
    row = torch.arange(3.0).reshape(1, 1, 1, 3)
    assert _padded(row, 1, 8).flatten().tolist() == [0, 1, 2, 1, 0, 1, 2, 1]


def test_a_model_of_one_size_refuses_larger_pictures(tmp_path: Path) -> None:
    text = f"onnx:{onnx_file(tmp_path / 'fixed.onnx', 'FLOAT', 0.5, 64)}"
    method = find(text)
    method.check(override(preset("quick"), {"size": 64}))
    with pytest.raises(UserError, match="takes 64x64 pixels, and the picture has 128x128"):
        method.check(override(preset("quick"), {"size": 128}))


def test_a_model_that_takes_multiples_of_a_number_asks_for_it(script: Path) -> None:
    method = find(f"torchscript:{script}:polarity=hole-white")
    method.check(override(preset("quick"), {"size": 64}))
    with pytest.raises(
        UserError, match=r"lama\.pt: it cannot be run on .*as in multiple=8"
    ) as error:
        method.check(override(preset("quick"), {"size": 90}))
    assert "\n" not in str(error.value)


def test_the_checks_of_the_contract_work_on_a_file(script: Path) -> None:
    subject = Subject(find(f"torchscript:{script}:polarity=hole-white:multiple=8"))
    assert any_side(subject) is blind_to_the_hole(subject) is None


@pytest.mark.parametrize(
    ("function", "options", "told"),
    [
        (
            lambda image, mask: image * mask,
            ":polarity=hole-white",
            "would be with polarity=hole-black",
        ),
        (lambda image, mask: image.flip(1), "", "would be with output-colours=bgr"),
        (lambda image, mask: image.flip(1), ":output-colours=bgr", None),
        (lambda image, mask: image * 255, "", r"would be with output-range=0\.\.255"),
        (lambda image, mask: image * 2 - 1, "", r"would be with output-range=-1\.\.1"),
        (lambda image, mask: image * 2 - 1, r":output-range=-1..1", None),
        (lambda image, mask: 1 - image, "", "negative of the picture"),
        (lambda image, mask: 9 * grey(image), "", "output lies in .0, 9"),
        (lambda image, mask: grey(image) - 0.6, "", "output lies in .-0.6"),
        (lambda image, mask: image / 0, "", "not finite everywhere"),
        (lambda image, mask: image[:, :1], "", r"its output is \[1, 1, 256, 256\] for an image of"),
        (lambda image, mask: image[..., ::2], "", r"its output is \[1, 3, 256, 128\]"),
        (lambda image, mask: (image, mask), "", "several outputs"),
        (
            lambda image, mask: image.reshape(1, 3, 32, 32),
            "",
            r"cannot be run on \[1, 3, 256, 256\] of float32 and",
        ),
        # A network that changes the known pixels tells nothing of its convention.
        (lambda image, mask: grey(image), ":polarity=hole-white", None),
    ],
)
def test_a_convention_that_cannot_be_right_is_refused(
    save: Save, function: Callable[..., object], options: str, told: str | None
) -> None:
    method = find(save(function) + options)
    if told is None:
        method.build(Model())
        return
    with pytest.raises(UserError, match=rf"^torchscript:.*model\.pt: .*{told}") as error:
        method.build(Model())
    assert "\n" not in str(error.value)


def test_other_inputs_are_refused(save: Save) -> None:
    with pytest.raises(UserError, match="its inputs are x, and order=image-mask gives 2; an image"):
        find(save(lambda x: x + 0)).build(Model())
    with pytest.raises(UserError, match="called mask, picture; state order=mask-image"):
        find(save(lambda mask, picture: picture * mask)).build(Model())


def test_files_of_another_kind_are_refused(script: Path, pipeline: Path) -> None:
    with pytest.raises(UserError, match=r"grey-migan\.onnx: it is no TorchScript model: "):
        find(f"torchscript:{pipeline}:name=a").build(Model())
    with pytest.raises(UserError, match=r"grey-lama\.pt: it is no ONNX model: "):
        find(f"onnx:{script}:name=b").build(Model())


def test_a_missing_onnxruntime_names_the_extra(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "lbam-bench\[onnx\]"'):
        find(f"onnx:{pipeline}").build(Model())
