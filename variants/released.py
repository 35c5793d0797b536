"""The authors' released model: its weights, loaded into this suite's generator, and its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.config import Model
from variants.lbam import FULL, variant

if TYPE_CHECKING:
    from torch import Tensor, nn

SCALARS = {"a": "a", "mu": "mu", "sigma1": "gamma_left", "sigma2": "gamma_right"}
"""Names of gA's parameters here, by their released names."""
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
"""Names of the tensors of one batch norm."""
CHOICES: dict[str, Any] = {"batch_norm": False, "reverse_start": (1.0, 0.5), "limits": "released"}
"""The fields in which the released code's network differs from the paper's."""

variant(
    "released",
    "the authors' released weights (evaluate and inpaint only)",
    load="variants.released:load",
    **CHOICES,
)
variant(
    "released-recipe",
    "the released code's network, trained here; its loss is --objective released",
    only_named=True,
    **CHOICES,
)


def load(state_dict: Mapping[str, Tensor]) -> nn.Module:
    """Return the released model from a state dict with the released names.

    The model is a module whose `forward(image, mask)` takes an image [B,3,H,W] in [0,1] and a mask
    [B,1,H,W] with 1 = known, and returns the model's output in [0,1], (tanh + 1)/2. It has batch
    norm if the state dict has the keys of batch norm (`ec2.bn.weight`, ...). A key that is missing,
    unexpected or of another shape raises a `UserError` that names it.
    """
    import torch

    from bench.networks.weights import check
    from variants.lbam.generator import Generator

    model = Model(width=64, depth=7)
    batch_norm = any(".bn." in name for name in state_dict)
    # On the meta device no memory is filled with weights that are replaced at once.
    with torch.device("meta"):
        spec = replace(FULL, **CHOICES | {"batch_norm": batch_norm})
        network = Generator(model, spec)
    names = _names(model.depth, batch_norm)
    shapes = network.state_dict()
    # Some exports store the four scalars with shape [1].
    state = {
        name: value.reshape(()) if ".activationFuncG_A." in name and value.numel() == 1 else value
        for name, value in state_dict.items()
    }
    check(state, {theirs: shapes[ours] for theirs, ours in names.items()}, "released weights")
    network.load_state_dict({ours: state[theirs] for theirs, ours in names.items()}, assign=True)
    return network.eval()


def _names(depth: int, batch_norm: bool) -> dict[str, str]:
    """Map the released names to those in `Generator`."""
    names = {}
    for i in range(depth):
        names[f"ec{i + 1}.conv.conv.weight"] = f"encoder.{i}.weight"
        names |= _level(f"ec{i + 1}.conv", "maskConv", f"mask_branch.levels.{i}")
        # Their last decoder layer is a bare convolution, not a block with one.
        names[f"dc{i + 1}.conv.weight" if i < depth - 1 else f"dc{depth}.weight"] = (
            f"decoder.{i}.weight"
        )
    for i in range(depth - 1):
        names |= _level(f"reverseConv{i + 1}", "reverseMaskConv", f"reverse_branch.levels.{i}")
    if batch_norm:
        for part in NORM:
            names |= {f"ec{i + 1}.bn.{part}": f"encoder_norms.{i}.{part}" for i in range(1, depth)}
            names |= {f"dc{i + 1}.bn.{part}": f"decoder_norms.{i}.{part}" for i in range(depth - 1)}
    return names


def _level(theirs: str, filters: str, ours: str) -> dict[str, str]:
    """Map the released names of one mask level, whose filters they call `filters`, to ours."""
    scalars = {
        f"{theirs}.activationFuncG_A.{a}": f"{ours}.attention.{b}" for a, b in SCALARS.items()
    }
    return {f"{theirs}.{filters}.weight": f"{ours}.weight", **scalars}
