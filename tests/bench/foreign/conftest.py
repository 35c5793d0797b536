"""Small models in files, as other projects publish them: each fills the hole with grey."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn


class GreyOne(nn.Module):
    """A model that takes the image in [0,1] and a mask whose hole is 1, and keeps known pixels.

    It works on sides that 8 divides alone.
    """

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        assert image.shape[2] % 8 == 0 and image.shape[3] % 8 == 0
        return image * (1 - mask) + 0.5 * mask


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TorchScript file in the convention of LaMa's `big-lama.pt`."""
    file = tmp_path_factory.mktemp("models") / "grey-lama.pt"
    torch.jit.save(torch.jit.script(GreyOne()), file)
    return file


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file in the convention of MI-GAN's pipeline: bytes, and 255 is known."""
    return onnx_file(tmp_path_factory.mktemp("models") / "grey-migan.onnx", "UINT8", 128, None)


def onnx_file(file: Path, kind: str, grey: float, side: int | None) -> Path:
    """Write a model of ONNX that keeps pixels where its mask is not 0; the rest gets one value."""
    import onnx
    from onnx import TensorProto, helper

    number = getattr(TensorProto, kind)
    sides = ["height", "width"] if side is None else [side, side]
    values = {
        name: helper.make_tensor_value_info(name, number, [1, channels, *sides])
        for name, channels in {"image": 3, "mask": 1, "filled": 3}.items()
    }
    nodes = [
        helper.make_node("Cast", ["mask"], ["known"], to=TensorProto.BOOL),
        helper.make_node("Where", ["known", "image", "grey"], ["filled"]),
    ]
    constant = helper.make_tensor("grey", number, [1], [grey])
    graph = helper.make_graph(
        nodes, "grey", [values["image"], values["mask"]], [values["filled"]], [constant]
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), file)
    return file


@pytest.fixture(autouse=True)
def no_method_stays(forgotten: None) -> None:
    """The methods that a test names by files are unknown to the next."""
