import dataclasses
import json
from typing import Any

import pytest

from bench.config import Config, from_dict, identity, override, sections, to_dict
from bench.core.errors import UserError
from bench.presets import PRESET_HELP, PRESETS, preset


def test_every_field_has_a_help_and_a_name_of_its_own() -> None:
    names = [f.name for _, kind in sections() for f in dataclasses.fields(kind)]
    assert len(names) == len(set(names))
    for _, kind in sections():
        assert all(f.metadata["help"] for f in dataclasses.fields(kind))


def test_paper_preset_has_the_papers_values() -> None:
    paper = preset("paper")
    assert (paper.data.size, paper.data.resize) == (256, 350)
    assert (paper.model.width, paper.model.depth, paper.model.critic_width) == (64, 7, 64)
    objective = paper.objective
    assert (objective.pixel, objective.adversarial) == (1.0, 0.1)
    assert (objective.perceptual, objective.style) == (0.05, 120.0)
    assert (objective.gradient_penalty, objective.critic_end) == (10.0, "sigmoid")
    training = paper.training
    assert (training.epochs, training.steps, training.batch_size) == (500, 0, 48)
    assert (training.lr, training.betas) == (1e-4, (0.5, 0.9))
    assert (training.critic_lr, training.critic_betas) == (1e-5, (0.0, 0.9))


def test_every_preset_says_what_it_is() -> None:
    assert PRESET_HELP.keys() == PRESETS.keys()
    assert all(config.preset == name for name, config in PRESETS.items())


def test_survives_json() -> None:
    config = override(preset("small"), {"ratio": (0.2, 0.3), "steps": 7})
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config


def test_override_reaches_the_right_section_and_leaves_the_rest() -> None:
    config = override(preset("quick"), {"width": 24, "lr": 0.5})
    assert (config.model.width, config.training.lr) == (24, 0.5)
    assert config.data == preset("quick").data


def test_places_and_log_intervals_do_not_change_the_identity() -> None:
    elsewhere = {"data_root": "/elsewhere", "workers": 3, "log_every": 1, "device": "cpu"}
    assert identity(override(preset("quick"), elsewhere)) == identity(preset("quick"))
    assert identity(override(preset("quick"), {"seed": 1})) != identity(preset("quick"))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"widht": 3}, "width"),
        ({"batch_size": 0}, "--batch-size"),
        ({"lr": -1.0}, "--lr"),
        ({"resize": 64}, "--resize"),
        ({"steps": -1}, "--steps"),
        ({"ratio": (0.5, 0.1)}, "--ratio"),
        ({"depth": 1}, "--depth"),
    ],
)
def test_values_that_cannot_work_name_the_option(values: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        override(preset("quick"), values)


def test_a_config_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config("x").preset = "y"  # type: ignore[misc]
