"""Import of the released weights: names and shapes of the authors' state dict, and file reading."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from bench.cli.methods import of_family
from bench.config import Model
from bench.core.errors import UserError
from bench.core.references import resolve
from bench.networks import weights
from bench.registry import ImportedWeights, TrainedNetwork, find
from tests.variants import layer_table
from tests.variants.layer_table import Branch, Network, Norm
from variants.released import load

State = dict[str, Tensor]
ENCODER = [4, 64, 128, 256, 512, 512, 512, 512]
DECODER = [(512, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64), (128, 3)]
SCALARS = ("a", "mu", "sigma1", "sigma2")


def released_shapes() -> dict[str, tuple[int, ...]]:
    """The released model's names and shapes, from the paper's Table 4 and the released code."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(1, 8):
        inputs, outputs = ENCODER[i - 1], ENCODER[i]
        masks = 3 if i == 1 else inputs
        shapes[f"ec{i}.conv.conv.weight"] = (outputs, inputs, 4, 4)
        shapes[f"ec{i}.conv.maskConv.weight"] = (outputs, masks, 4, 4)
        for scalar in SCALARS:
            shapes[f"ec{i}.conv.activationFuncG_A.{scalar}"] = ()
    for i in range(1, 7):
        masks = 3 if i == 1 else ENCODER[i - 1]
        shapes[f"reverseConv{i}.reverseMaskConv.weight"] = (ENCODER[i], masks, 4, 4)
        for scalar in SCALARS:
            shapes[f"reverseConv{i}.activationFuncG_A.{scalar}"] = ()
    for i, (inputs, outputs) in enumerate(DECODER[:-1], start=1):
        shapes[f"dc{i}.conv.weight"] = (inputs, outputs, 4, 4)
    shapes["dc7.weight"] = (*DECODER[-1], 4, 4)
    return shapes


def norm_channels() -> dict[str, int]:
    """Batch norms of the model that has them: after the joined halves in the decoder."""
    encoder = {f"ec{i}.bn": ENCODER[i] for i in range(2, 8)}
    return encoder | {f"dc{i}.bn": 2 * DECODER[i - 1][1] for i in range(1, 7)}


def uniform(shape: tuple[int, ...], low: float, high: float, stream: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=stream)


@pytest.fixture(scope="module")
def state() -> State:
    """Weights that keep activations alive, a different draw for every scalar, some out of range."""
    stream = torch.Generator().manual_seed(0)
    ranges = {"a": (0.8, 3.0), "mu": (0.0, 1.5), "sigma1": (0.3, 2.2), "sigma2": (0.3, 2.2)}
    state = {}
    for name, shape in released_shapes().items():
        if not shape:
            state[name] = uniform((), *ranges[name.rpartition(".")[2]], stream)
            continue
        fan_in = 4 * shape[0] if name.startswith("dc") else 16 * shape[1]
        # Uniform is quicker to draw than normal; ±sqrt(6/n) has variance 2/n.
        state[name] = uniform(shape, -1, 1, stream).mul_((6 / fan_in) ** 0.5)
    return state


@pytest.fixture(scope="module")
def norms() -> State:
    stream = torch.Generator().manual_seed(1)
    state: State = {}
    for name, channels in norm_channels().items():
        state[f"{name}.weight"] = uniform((channels,), 0.5, 1.5, stream)
        state[f"{name}.bias"] = uniform((channels,), -0.3, 0.3, stream)
        state[f"{name}.running_mean"] = uniform((channels,), -0.3, 0.3, stream)
        state[f"{name}.running_var"] = uniform((channels,), 0.3, 2.0, stream)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)
    return state


def by_layer_table(state: State, image: Tensor, mask: Tensor) -> Tensor:
    """The independent implementation's output for a released state dict."""

    def branch(level: str, filters: str, levels: int) -> Branch:
        names = [level.format(i) for i in range(1, levels + 1)]
        return Branch(
            [state[f"{name}.{filters}.weight"] for name in names],
            [
                layer_table.gaussian(
                    *(state[f"{name}.activationFuncG_A.{s}"] for s in SCALARS), limits="released"
                )
                for name in names
            ],
        )

    def norm(name: str) -> Norm | None:
        if f"{name}.weight" not in state:
            return None
        parts = ("weight", "bias", "running_mean", "running_var")
        return Norm(*(state[f"{name}.{part}"] for part in parts))

    decoder = [state[f"dc{i}.conv.weight"] for i in range(1, 7)]
    with torch.no_grad():
        return layer_table.fill(
            Network(
                encoder=[state[f"ec{i}.conv.conv.weight"] for i in range(1, 8)],
                decoder=[*decoder, state["dc7.weight"]],
                forward=branch("ec{}.conv", "maskConv", 7),
                reverse=branch("reverseConv{}", "reverseMaskConv", 6),
                encoder_norms=[norm(f"ec{i}.bn") for i in range(2, 8)],
                decoder_norms=[norm(f"dc{i}.bn") for i in range(1, 7)],
            ),
            image,
            mask,
        )


def pair(height: int, width: int) -> tuple[Tensor, Tensor]:
    """An image and a mask with a large hole and scattered small ones."""
    stream = torch.Generator().manual_seed(2)
    mask = (torch.rand(1, 1, height, width, generator=stream) > 0.05).float()
    mask[..., height // 4 : height // 2, width // 3 : width // 2] = 0
    return torch.rand(1, 3, height, width, generator=stream), mask


def filled(state: State, image: Tensor, mask: Tensor) -> Tensor:
    with torch.no_grad():
        output: Tensor = load(state)(image, mask)
    return output


def test_output_is_that_of_the_released_layers(state: State) -> None:
    image, mask = pair(128, 128)
    expected = by_layer_table(state, image, mask)
    assert expected.std() > 0.02, "a constant output would show nothing"
    assert torch.allclose(filled(state, image, mask), expected, rtol=0, atol=1e-5)


def test_batch_norm_keys_give_the_model_with_batch_norm(state: State, norms: State) -> None:
    image, mask = pair(128, 128)
    both = state | norms
    expected = by_layer_table(both, image, mask)
    assert (expected - by_layer_table(state, image, mask)).abs().max() > 0.01
    assert torch.allclose(filled(both, image, mask), expected, rtol=0, atol=1e-5)


def test_output_has_the_size_of_the_image(state: State) -> None:
    image, mask = pair(100, 150)
    output = filled(state, image, mask)
    assert output.shape == (1, 3, 100, 150)
    assert output.isfinite().all()
    assert output.min() >= 0
    assert output.max() <= 1
    other = torch.where(mask > 0.5, image, 1 - image)
    assert torch.equal(output, filled(state, other, mask))


def test_scalars_may_have_one_dimension(state: State) -> None:
    image, mask = pair(32, 32)
    listed = {name: value.reshape(1) if not value.dim() else value for name, value in state.items()}
    assert torch.equal(filled(listed, image, mask), filled(state, image, mask))


def test_loading_leaves_the_state_dict_alone(state: State) -> None:
    before = {name: (value.shape, value.flatten()[0].item()) for name, value in state.items()}
    load(state)
    assert before == {n: (value.shape, value.flatten()[0].item()) for n, value in state.items()}


def test_model_is_in_evaluation_mode_and_has_the_released_size(state: State, norms: State) -> None:
    network, with_norms = load(state), load(state | norms)
    assert sum(p.numel() for p in network.parameters()) == 68_304_948
    assert sum(p.numel() for p in with_norms.parameters()) == 68_317_748
    assert not any(module.training for module in with_norms.modules())


def test_released_is_a_variant_that_is_not_trained() -> None:
    method = find("released", "variant")
    assert isinstance(method, ImportedWeights)
    assert resolve(method.load) is load
    assert method.parameters(Model()) == 68_304_948
    assert method.differs == {"batch_norm": False, "reverse_start": (1.0, 0.5),
                              "limits": "released"}  # fmt: skip


def test_the_released_recipe_is_trained_with_the_released_network_where_it_is_named() -> None:
    recipe = find("released-recipe", "variant")
    assert isinstance(recipe, TrainedNetwork)
    assert recipe.differs == find("released").differs
    assert recipe not in of_family("variant") and find("full") in of_family("variant")
    network = recipe.build(Model(width=4, depth=4))
    scalars = {name: p.item() for name, p in network.named_parameters() if not p.dim()}
    assert scalars["mask_branch.levels.0.attention.mu"] == 2.0
    assert scalars["reverse_branch.levels.0.attention.mu"] == 1.0
    assert scalars["reverse_branch.levels.0.attention.gamma_left"] == 0.5
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())


@pytest.mark.parametrize("name", sorted(released_shapes()))
def test_missing_key_is_named(state: State, name: str) -> None:
    rest = {key: value for key, value in state.items() if key != name}
    with pytest.raises(UserError, match=f"'{name}'.*missing"):
        load(rest)


@pytest.mark.parametrize(
    "name", ["module.ec1.conv.conv.weight", "ec8.conv.conv.weight", "dc7.bias"]
)
def test_unexpected_key_is_named(state: State, name: str) -> None:
    with pytest.raises(UserError, match=f"'{name}'.*unexpected"):
        load(state | {name: torch.zeros(3)})


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("ec1.conv.conv.weight", (64, 3, 4, 4)),
        ("ec3.conv.maskConv.weight", (256, 128, 3, 3)),
        ("ec2.conv.activationFuncG_A.mu", (2,)),
        ("reverseConv6.reverseMaskConv.weight", (512, 256, 4, 4)),
        ("dc1.conv.weight", (512,)),
        ("dc7.weight", (3, 128, 4, 4)),
    ],
)
def test_misshapen_key_is_named(state: State, name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=f"'{name}' has shape"):
        load(state | {name: torch.zeros(shape)})


@pytest.mark.parametrize(
    "name", ["ec2.bn.bias", "dc6.bn.running_var", "dc1.bn.num_batches_tracked"]
)
def test_missing_batch_norm_key_is_named(state: State, norms: State, name: str) -> None:
    rest = {key: value for key, value in (state | norms).items() if key != name}
    with pytest.raises(UserError, match=f"'{name}'.*missing"):
        load(rest)


# Files


def test_torch_and_safetensors_files_are_read_alike(tmp_path: Path) -> None:
    state = {"b": torch.arange(6.0).reshape(2, 3), "a.x": torch.tensor(2.5)}
    torch.save(state, tmp_path / "new.pth")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "weights.safetensors")
    for file in tmp_path.iterdir():
        found = weights.read(file)
        assert found.keys() == state.keys()
        assert all(torch.equal(found[name], value) for name, value in state.items()), file


def test_written_weights_are_read_back(tmp_path: Path) -> None:
    network, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    weights.write(tmp_path / "w.safetensors", network)
    weights.load_into(other, weights.read(tmp_path / "w.safetensors"), "w")
    assert torch.equal(network.weight, other.weight)
    assert torch.equal(network.bias, other.bias)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("how", ["torch", "old torch", "pickle"])
@pytest.mark.parametrize("suffix", [".pth", ".pkl", ".safetensors"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path, how: str, suffix: str) -> None:
    target, file = tmp_path / "trapped", tmp_path / f"weights{suffix}"
    value = {"ec1.conv.conv.weight": torch.zeros(3), "trap": Trap(target)}
    if how == "pickle":
        file.write_bytes(pickle.dumps(value))
    else:
        torch.save(value, file, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(UserError, match="not a readable weights file"):
        weights.read(file)
    assert not target.exists()


def test_trap_would_have_worked(tmp_path: Path) -> None:
    # Otherwise the test above shows nothing.
    pickle.loads(pickle.dumps(Trap(tmp_path / "trapped")))
    assert (tmp_path / "trapped").exists()


@pytest.mark.parametrize("how", ["new.pth", "old.pth", "weights.safetensors"])
def test_truncated_file_is_refused(tmp_path: Path, how: str) -> None:
    state = {"weight": torch.arange(300.0), "bias": torch.zeros(2)}
    file = tmp_path / how
    if how == "weights.safetensors":
        save_file(state, file)
    else:
        torch.save(state, file, _use_new_zipfile_serialization=how == "new.pth")
    whole = file.read_bytes()
    for length in [*range(25), 100, len(whole) // 2, len(whole) - 1]:
        file.write_bytes(whole[:length])
        with pytest.raises(UserError, match="not a readable weights file"):
            weights.read(file)


def test_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(UserError, match=f"no weights file {path}"):
            weights.read(path)


@pytest.mark.parametrize(
    "value",
    [
        [torch.zeros(2)],
        torch.zeros(2),
        {"epoch": 3},
        {"state_dict": {"w": torch.zeros(2)}},
        {1: torch.zeros(2)},
    ],
    ids=["list", "tensor", "number", "nested", "no names"],
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, value: Any) -> None:
    torch.save(value, tmp_path / "weights.pth")
    with pytest.raises(UserError, match="no state dict"):
        weights.read(tmp_path / "weights.pth")


@pytest.mark.parametrize("text", ["<!DOCTYPE html><title>404</title>", "hello", "(lp0"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_text_is_refused(tmp_path: Path, suffix: str, text: str) -> None:
    file = tmp_path / f"weights{suffix}"
    file.write_text(text)
    with pytest.raises(UserError, match="not a readable weights file"):
        weights.read(file)
