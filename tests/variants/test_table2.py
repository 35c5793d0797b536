"""The eight variants of Table 2: each differs from `full` as the paper says, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.config import Model
from bench.networks.initialisation import initialise
from bench.registry import REGISTRY, ImportedWeights, TrainedNetwork, discover, find
from variants.lbam import FULL

SMALL = Model(width=4, depth=4)
DIFFERENCES: dict[str, dict[str, Any]] = {
    "full": {},
    "unlearned": {"learned_masks": False, "attention": "inverse", "mask_update": "binary"},
    "forward": {"reverse": False},
    "no-gan": {"adversarial": False},
    "sigmoid": {"attention": "sigmoid"},
    "lrelu": {"attention": "lrelu"},
    "relu": {"attention": "relu"},
    "3x3": {"mask_kernel": 3},
}


def initialised(name: str, seed: int = 0) -> nn.Module:
    network = find(name).build(SMALL)
    initialise(network, seed)
    return network


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in network.named_parameters()}


def test_full_is_the_papers_model() -> None:
    assert (FULL.mask_kernel, FULL.attention, FULL.mask_update) == (4, "gaussian", "power")
    assert (FULL.learned_masks, FULL.reverse, FULL.adversarial) == (True, True, True)
    assert (FULL.batch_norm, FULL.reverse_start) == (True, (2.0, 1.0))
    assert FULL.limits == "bell"


def test_registry_finds_the_eight_in_the_papers_order() -> None:
    methods = discover()
    table = [m.name for m in methods.values() if REGISTRY.module(m.name) == "variants.table2"]
    assert table == list(DIFFERENCES)
    for name in table:
        assert methods[name].family == "variant"
        assert isinstance(methods[name], TrainedNetwork)
        assert methods[name].summary


@pytest.mark.parametrize("name", DIFFERENCES)
def test_variant_differs_from_full_as_stated(name: str) -> None:
    assert dict(find(name).differs) == DIFFERENCES[name]


@pytest.mark.parametrize("name", DIFFERENCES)
def test_only_no_gan_changes_the_objective(name: str) -> None:
    method = find(name)
    assert isinstance(method, TrainedNetwork)
    assert dict(method.objective) == ({"adversarial": 0.0} if name == "no-gan" else {})


def test_parameters_differ_only_where_the_variants_do() -> None:
    full = shapes(initialised("full"))
    filters = {n for n in full if "branch" in n and n.endswith(".weight")}
    scalars = {n for n in full if "branch" in n} - filters
    reverse = {n for n in full if n.startswith("reverse_branch")}
    assert len(filters) == 7
    assert len(scalars) == 28
    missing = {
        "full": set(),
        "unlearned": filters | scalars,
        "forward": reverse,
        "no-gan": set(),
        "sigmoid": scalars,
        "lrelu": scalars,
        "relu": scalars,
        "3x3": set(),
    }
    for name, left_out in missing.items():
        own = shapes(initialised(name))
        assert set(full) - set(own) == left_out, name
        assert not set(own) - set(full), name
        changed = {key for key in own if own[key] != full[key]}
        assert changed == (filters if name == "3x3" else set()), name


@pytest.mark.parametrize("name", DIFFERENCES)
def test_shared_weights_start_bit_identical(name: str) -> None:
    full = dict(initialised("full").named_parameters())
    shared = [
        (key, value, full[key])
        for key, value in initialised(name).named_parameters()
        if key in full and value.shape == full[key].shape
    ]
    assert {key for key, *_ in shared} >= {f"encoder.{i}.weight" for i in range(4)}
    assert {key for key, *_ in shared} >= {f"decoder.{i}.weight" for i in range(4)}
    assert all(torch.equal(own, theirs) for _, own, theirs in shared)


def test_initial_filters_follow_the_seed_and_their_name() -> None:
    first, other = (dict(initialised("full", seed).named_parameters()) for seed in (0, 1))
    one, two = "encoder.3.weight", "mask_branch.levels.3.weight"
    assert first[one].shape == first[two].shape
    assert not torch.equal(first[one], first[two])
    assert not torch.equal(first[one], other[one])


def test_initial_filters_are_normal_with_the_papers_spread() -> None:
    network = find("full").build(Model(width=16, depth=4))
    torch.manual_seed(0)
    initialise(network, 0)
    for name, value in network.named_parameters():
        if value.numel() > 5000:
            assert value.std().item() == pytest.approx(0.02, rel=0.05), name
            assert value.mean().abs().item() < 0.001, name
            assert (value.abs() > 0.04).float().mean().item() == pytest.approx(0.0455, abs=0.012)
        if "norms" in name:
            expected = torch.ones_like(value) if name.endswith("weight") else 0 * value
            assert torch.equal(value, expected), name


def test_initialising_leaves_attention_and_the_global_stream_alone() -> None:
    network = find("full").build(SMALL)
    scalars = {n: p.item() for n, p in network.named_parameters() if not p.dim()}
    torch.manual_seed(3)
    initialise(network, 0)
    after = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(2))
    assert scalars == {n: p.item() for n, p in network.named_parameters() if not p.dim()}
    assert scalars


def test_no_gan_is_the_same_network_as_full() -> None:
    stream = torch.Generator().manual_seed(0)
    image, mask = torch.rand(1, 3, 32, 32, generator=stream), torch.ones(1, 1, 32, 32)
    mask[..., 8:20, 8:20] = 0
    outputs: list[Tensor] = [initialised(n).eval()(image, mask) for n in ("full", "no-gan")]
    assert torch.equal(*outputs)


def test_released_is_no_part_of_the_table_and_is_not_trained() -> None:
    method = find("released", "variant")
    assert REGISTRY.module("released") == "variants.released"
    assert isinstance(method, ImportedWeights)
