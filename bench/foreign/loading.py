"""Model files as functions of tensors: TorchScript by torch, ONNX by onnxruntime."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.core.errors import UserError

LONGEST = 300
"""Longest reason of another library that is quoted, characters."""


class Model:
    """A loaded model: its inputs by name, the sides that it takes, and a call that runs it."""

    inputs: Sequence[str]
    sides: tuple[int, int] | None
    """Height and width, pixels; None where any will do, or the file does not tell."""

    def __call__(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the one output of the model, on the device of its inputs.

        Whatever the model fails with is a `UserError`, as is an output that is no single tensor.
        """
        try:
            outputs = self.run(inputs)
        except Exception as error:  # a model is anybody's
            raise UserError(
                f"it cannot be run on {' and '.join(map(_described, inputs))}: {reason(error)}"
            ) from error
        if isinstance(outputs, tuple | list) and len(outputs) == 1:
            outputs = outputs[0]
        if not isinstance(outputs, Tensor):
            raise UserError("it gives several outputs; export one that gives the picture alone")
        return outputs.to(inputs[0].device)

    def run(self, inputs: Sequence[Tensor]) -> Any:
        """Return what the model gives."""
        raise NotImplementedError


class TorchScript(Model):
    """A model of `torch.jit.save`."""

    sides = None

    def __init__(self, file: Path) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch advises other formats
                self.script = torch.jit.load(file, map_location="cpu").eval()
            arguments = self.script.forward.schema.arguments[1:]  # the first is the module
        except (RuntimeError, ValueError, AttributeError) as error:
            raise UserError(f"it is no TorchScript model: {reason(error)}") from error
        self.inputs = [a.name for a in arguments if not a.has_default_value()]

    def run(self, inputs: Sequence[Tensor]) -> Any:
        """Return what the model gives, on the device of the inputs."""
        return self.script.to(inputs[0].device)(*inputs)


class Onnx(Model):
    """A model of ONNX, run by onnxruntime on the CPU, whose numbers do not depend on a driver."""

    def __init__(self, file: Path) -> None:
        if not importlib.util.find_spec("onnxruntime"):
            raise UserError(
                "ONNX needs onnxruntime; install the extra: "
                'python -m pip install "lbam-bench[onnx]"'
            )
        from onnxruntime import InferenceSession

        try:
            self.session = InferenceSession(file, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own kinds share no other base
            raise UserError(f"it is no ONNX model: {reason(error)}") from error
        self.inputs = [given.name for given in self.session.get_inputs()]
        sides = self.session.get_inputs()[0].shape[-2:]  # names where they are free
        fixed = len(sides) == 2 and all(isinstance(side, int) for side in sides)
        self.sides = (sides[0], sides[1]) if fixed else None

    def run(self, inputs: Sequence[Tensor]) -> Any:
        """Return what the model gives."""
        arrays = [x.cpu().contiguous().numpy() for x in inputs]
        named = dict(zip(self.inputs, arrays, strict=True))
        return [torch.from_numpy(found) for found in self.session.run(None, named)]


def reason(error: Exception) -> str:
    """Return why a library failed, in one line: TorchScript's errors end with it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [repr(error)]
    text = lines[-1] if "TorchScript interpreter" in lines[0] else " ".join(lines)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _described(x: Tensor) -> str:
    return f"{list(x.shape)} of {str(x.dtype).removeprefix('torch.')}"


LOADERS: Mapping[str, Callable[[Path], Model]] = {"torchscript": TorchScript, "onnx": Onnx}
"""Functions that load a file, by kind."""
