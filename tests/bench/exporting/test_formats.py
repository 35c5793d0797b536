"""Exported files fill images of any size as their network does, or are refused."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.config import Model
from bench.core.errors import UserError
from bench.exporting.formats import FORMATS, Filler, check_packages, write
from bench.registry import TrainedNetwork, discover, find

pytestmark = pytest.mark.usefixtures("one_thread")
TRAINED = [name for name, method in discover().items() if isinstance(method, TrainedNetwork)]
NETWORKS = ["full", "contextual-attention", "global-local", "pconv"]
"""One method for each kind of network."""
KINDS = [(name, form) for name in NETWORKS for form in ("pt2", "onnx")]
# Its ONNX file is made from the same graph, and this one takes a minute.
KINDS.remove(("contextual-attention", "pt2"))
UNSEEN = ((3, 33, 118), (1, 16, 16), (2, 96, 64))
"""Batch, height and width that no exporter and no comparison has seen."""


def network(name: str, depth: int = 2) -> nn.Module:
    """A tiny network whose outputs differ from pixel to pixel."""
    torch.manual_seed(0)
    built = find(name).build(Model(width=4, depth=depth))
    for parameter in built.parameters():
        if parameter.ndim == 4:
            nn.init.kaiming_normal_(parameter)
    return built.eval()


def pair(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    mask = torch.ones(batch, 1, height, width)
    mask[:, :, height // 4 : height // 2, width // 3 : width // 2] = 0
    return torch.rand(batch, 3, height, width), mask


def agrees(name: str, form: str, folder: Path) -> None:
    """Assert that a written file fills as the network does, whatever is in the hole."""
    if form == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    built = network(name)
    assert write(built, form, folder) <= 1e-4
    fill, filler = FORMATS[form].load(folder / FORMATS[form].file), Filler(built)
    for size in UNSEEN:
        image, mask = pair(*size)
        filled, hole = fill(image, mask), (mask == 0).expand_as(image)
        assert filled.shape == image.shape
        torch.testing.assert_close(filled, filler(image, mask), atol=1e-4, rtol=0)
        assert torch.equal(filled[~hole], image[~hole])
        assert torch.equal(fill(torch.where(hole, 0.7, image), mask), filled)
        assert filled.min() >= 0 and filled.max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_torchscript_agrees_for_every_method(name: str, tmp_path: Path) -> None:
    agrees(name, "torchscript", tmp_path)


@pytest.mark.parametrize(
    "form", ["torchscript", "pt2", pytest.param("onnx", marks=pytest.mark.slow)]
)
def test_a_learned_mask_agrees(form: str, tmp_path: Path) -> None:
    agrees("forward", form, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), KINDS)
def test_every_format_agrees_for_every_kind_of_network(
    name: str, form: str, tmp_path: Path
) -> None:
    agrees(name, form, tmp_path)


class Fixed(nn.Module):
    """Multiplies by a number that a tracer takes for a constant, and that a graph cannot hold."""

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        mean = float(image.mean())
        return image + mean if mean > 0.1 else image


@pytest.mark.parametrize("form, what", [
    ("torchscript", "--format torchscript: the file's outputs differ from the network's by"),
    ("pt2", "--format pt2: this network cannot be exported ("),
])  # fmt: skip
def test_what_does_not_agree_or_work_is_refused(form: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        write(Fixed(), form, tmp_path)
    assert str(error.value).startswith(what) and str(error.value).endswith("; leave it out")


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check_packages(["pt2", "torchscript"])
    with pytest.raises(UserError, match=r"onnx, onnxscript, onnxruntime; .*lbam-bench\[onnx\]"):
        check_packages(["pt2", "onnx"])
