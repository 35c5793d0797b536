"""State dicts, read without unpickling code, checked key by key, written whole or not at all."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from bench.core.errors import MissingWeightsError, UserError
from bench.core.files import replacing
from bench.core.sums import sha256

PUBLISHED = "https://download.pytorch.org/models"
"""Place of torchvision's weights; to import torchvision, which knows it too, takes a second."""
ALEXNET, VGG16 = "alexnet-owt-7be5be79.pth", "vgg16-397923af.pth"
"""Files of torchvision's weights; the names end in the first digits of their SHA-256 digests."""


def read(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a safetensors file, or of a torch file (weights only), on the CPU.

    A file that is missing, damaged or holds anything else is a `UserError`.
    """
    if not path.is_file():
        raise UserError(f"no weights file {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # A damaged file can fail anywhere inside the two readers.
        damaged = f"{path} is not a readable weights file"
        # torch's own text of this error is long and explains torch's defaults, not the file.
        if isinstance(error, pickle.UnpicklingError):
            raise UserError(f"{damaged}: it is damaged, or holds more than tensors") from error
        raise UserError(f"{damaged}: {str(error).partition(chr(10))[0] or error!r}") from error
    named = isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    )
    if not named:
        raise UserError(f"{path} holds no state dict (a mapping of names to tensors)")
    found: dict[str, Tensor] = state
    return found


def torchvision_state(name: str, file: str, advice: str, download: bool) -> dict[str, Tensor]:
    """Return ImageNet weights that torchvision publishes, as `published` does."""
    return published(f"{PUBLISHED}/{file}", name, advice, download)


def published(url: str, name: str, advice: str, download: bool) -> dict[str, Tensor]:
    """Return ImageNet weights that somebody publishes, from torch hub's cache or downloaded.

    The file's name ends in the first digits of its digest. Where the weights are not available, a
    `MissingWeightsError` names the network `name` and gives the `advice`. A damaged file is a
    `UserError`.
    """
    file = cached(url.rpartition("/")[2])
    if file.is_file():
        if not sha256(file).startswith(file.stem.rpartition("-")[2]):
            raise UserError(f"{file} is damaged; delete it, so that it is downloaded again")
        return read(file)
    if not download:
        raise MissingWeightsError(
            f"no ImageNet weights of {name} on this machine; {advice} or use --download true"
        )
    try:
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(url, check_hash=True)
        return state
    except (URLError, OSError, RuntimeError) as error:
        raise MissingWeightsError(
            f"{name}'s ImageNet weights cannot be downloaded ({error}); {advice}"
        ) from error


def cached(name: str) -> Path:
    """Return the place of a published file in torch hub's cache."""
    return Path(torch.hub.get_dir(), "checkpoints", name)


def write(path: Path, network: nn.Module) -> None:
    """Write the network's state dict as a safetensors file."""
    # safetensors takes contiguous tensors alone; channels-last filters are not.
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    # As bytes: an error of the disk is then one of Python, which `replacing` names.
    with replacing(path) as temporary:
        temporary.write_bytes(save(state))


def check(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str) -> None:
    """Raise a `UserError` that names the first key that is missing, unexpected or of another shape.

    `source` says in the error where the state dict comes from.
    """
    for name in expected:
        if name not in state:
            raise UserError(f"{source}: key '{name}' is missing")
    for name, value in state.items():
        if name not in expected:
            raise UserError(f"{source}: key '{name}' is unexpected")
        if value.shape != expected[name].shape:
            raise UserError(
                f"{source}: key '{name}' has shape {list(value.shape)}, "
                f"expected {list(expected[name].shape)}"
            )


def load_into(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict; keys or shapes other than the network's are a `UserError`."""
    check(state, network.state_dict(), source)
    network.load_state_dict(state)


def file_hash(file: Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 digest of a file."""
    if not file.is_file():
        raise UserError(f"no weights file {file}")
    return sha256(file)[:16]
