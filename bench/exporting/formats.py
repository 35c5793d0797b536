"""Networks as files that run without this suite, each compared with its network at once.

Batch and sides stay free. An exported model takes an image [B,3,H,W] in [0,1] and a mask [B,1,H,W],
1 = known. It blanks the hole itself, and returns the filled image.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from bench.core.errors import UserError
from bench.evaluation.fill import blank
from bench.networks.holes import composite

Fill = Callable[[Tensor, Tensor], Tensor]
TOLERANCE = 1e-4
"""Largest difference from the network, with colours in [0,1], that rounding may explain."""
SIZES = ((1, 64, 64), (2, 80, 112), (2, 37, 90))
"""Batch, height and width of the inputs on which a file is compared with its network."""
TRACED = (2, 67, 91)
"""Batch, height and width of the inputs that an exporter follows through the network. A network
that pads its inputs pads odd sides for certain, and the padding becomes part of the file; for sides
that need none, the file pads by 0."""
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class Filler(nn.Module):
    """A network that fills: it blanks the hole, clips the output and keeps the known pixels."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the image [B,3,H,W] in [0,1] with its hole filled; mask [B,1,H,W], 1 = known."""
        output = self.network(blank(image, mask), mask)
        return composite(output.clamp(0, 1), image, mask)


class Format(NamedTuple):
    """A kind of file: its name in an exported folder, and functions that write it and load it."""

    file: str
    write: Callable[[Filler, Path], None]
    load: Callable[[Path], Fill]


def write(network: nn.Module, name: str, folder: Path) -> float:
    """Write a network in the format of a name into a folder, and return the largest difference.

    The difference is that of the file's outputs from the network's, with colours in [0,1]. A
    network that cannot be written, or a file that does not agree with it, is a `UserError`.
    """
    kind, filler = FORMATS[name], Filler(network)
    file = folder / kind.file
    try:
        with _quiet(), torch.no_grad():
            kind.write(filler, file)
            found = _difference(kind.load(file), filler)
    except (UserError, OSError):
        raise
    except Exception as error:  # Any part of a network may be unknown to an exporter.
        reason = (str(error).strip() or repr(error)).partition("\n")[0]
        raise UserError(
            f"--format {name}: this network cannot be exported ({reason}); leave it out"
        ) from error
    if not found <= TOLERANCE:
        raise UserError(
            f"--format {name}: the file's outputs differ from the network's by {found:.1g}, more "
            f"than {TOLERANCE:g}; leave it out"
        )
    return found


def check_packages(names: list[str]) -> None:
    """Raise a `UserError` if a format among `names` needs a package that is not installed."""
    missing = [p for p in ONNX_PACKAGES if "onnx" in names and not importlib.util.find_spec(p)]
    if missing:
        raise UserError(
            f"--format onnx needs {', '.join(missing)}; install the extra: "
            'python -m pip install "lbam-bench[onnx]"'
        )


def _difference(fill: Fill, filler: Filler) -> float:
    """Return the largest difference of two ways to fill images of all `SIZES`."""
    pairs = [_inputs(*size) for size in SIZES]
    differences = [(fill(*pair) - filler(*pair)).abs().max() for pair in pairs]
    return float(torch.stack(differences).max())  # NaN, if any is


def _inputs(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return smooth images in [0,1], with a rectangular hole at another place in each."""
    grid = torch.linspace(0, 1, height)[:, None] + torch.linspace(0, 2, width)
    phases = torch.arange(3 * batch).reshape(batch, 3, 1, 1)
    mask = torch.ones(batch, 1, height, width)
    for number, hole in enumerate(mask):
        hole[:, height // 4 + number : height // 2 + number, width // 3 : width // 2 + number] = 0
    return (torch.sin(4 * grid + phases) + 1) / 2, mask


def _program(filler: Filler) -> torch.export.ExportedProgram:
    """Return the filler as a graph for all batches and sides."""
    from torch.fx.experimental import _config as symbols

    free = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    inputs, shapes = _inputs(*TRACED), (free, free)
    traced = torch.export.export(filler, inputs, dynamic_shapes=shapes)
    # The program would refuse sides that lead the network's own `if` another way: even ones, which
    # need no padding. A second pass over the graph, which has no `if` left, keeps only the
    # conditions that hold for all sizes.
    with symbols.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        graph = traced.module(check_guards=False)
        return torch.export.export(graph, inputs, dynamic_shapes=shapes)


def _write_pt2(filler: Filler, file: Path) -> None:
    torch.export.save(_program(filler), file)


def _load_pt2(file: Path) -> Fill:
    return torch.export.load(file).module()


def _write_onnx(filler: Filler, file: Path) -> None:
    from onnxscript import optimizer

    program = torch.onnx.export(
        _program(filler),
        dynamo=True,
        input_names=["image", "mask"],
        output_names=["filled"],
        optimize=False,
        verbose=False,
    )
    assert program is not None
    # Not the rest of its optimizer: that takes a sum with 1e-8 for one with 0, so that the quotient
    # of a partial convolution whose window is empty becomes NaN.
    optimizer.inline(program.model)
    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    program.save(file)


def _load_onnx(file: Path) -> Fill:
    from onnxruntime import InferenceSession

    session = InferenceSession(file, providers=["CPUExecutionProvider"])

    def fill(image: Tensor, mask: Tensor) -> Tensor:
        inputs = {"image": image.numpy(), "mask": mask.numpy()}
        return torch.from_numpy(session.run(None, inputs)[0])

    return fill


def _write_torchscript(filler: Filler, file: Path) -> None:
    # The older tracer, because torch makes no TorchScript of an exported program: its sizes are
    # symbols, which TorchScript does not know.
    with patch.object(torch.autograd.Function, "apply", classmethod(_apply_forward)):
        traced = torch.jit.trace(filler, _inputs(*TRACED), check_trace=False)
    torch.jit.save(traced, file)


def _apply_forward(function: Any, *args: Any) -> Any:
    """Call the forward of an autograd function as it stands.

    The tracer would record the function as a call of Python, which no file can hold.
    """
    return function.forward(FunctionCtx(), *args)


def _load_torchscript(file: Path) -> Fill:
    loaded: Fill = torch.jit.load(file)
    return loaded


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what exporters say of their own work; the comparison tells if it is right."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


FORMATS = {
    "onnx": Format("model.onnx", _write_onnx, _load_onnx),
    "torchscript": Format("model.ts", _write_torchscript, _load_torchscript),
    "pt2": Format("model.pt2", _write_pt2, _load_pt2),
}
"""The formats by the names that `--format` takes."""
