import dataclasses
import json
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bench.config import Config, Data, from_dict, identity, override, sections, to_dict
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


BAD = {
    "--size is 8; it must be from 16 to 8192": {"size": 8},
    "--size is 1000000;": {"size": 1_000_000},
    "--resize is 100000000; it must be from 16 to 16384": {"resize": 100_000_000},
    "--resize 64 is below --size 128; the crop must fit": {"resize": 64},
    "--depth is 30; it must be from 2 to 10": {"depth": 30},
    "--depth is 1;": {"depth": 1},
    "--width is 10000000; it must be from 1 to 4096": {"width": 10_000_000},
    "--critic-width is 0;": {"critic_width": 0},
    "--batch-size is 0; it must be from 1 to 65536": {"batch_size": 0},
    "--pairs is 0;": {"pairs": 0},
    "--workers is -1; it must be from 0 to 128": {"workers": -1},
    "--workers is 100000;": {"workers": 100_000},
    "--seed is 9223372036854775808; it must be from 0 to 9223372036854775807": {"seed": 2**63},
    "--steps is -1;": {"steps": -1},
    "no training budget: set --steps or --epochs": {"steps": 0, "epochs": 0},
    "--lr is nan; it must be above 0 and at most": {"lr": math.nan},
    "--lr is inf;": {"lr": math.inf},
    "--lr is 0.0;": {"lr": 0.0},
    "--betas is 1.0; it must be at least 0 and below 1": {"betas": (0.5, 1.0)},
    "--critic-betas is -0.1;": {"critic_betas": (-0.1, 0.9)},
    "--betas is (0.5,); it must be 2 numbers": {"betas": (0.5,)},
    "--style is -1.0; it must be from 0 to": {"style": -1.0},
    "--gradient-penalty is nan;": {"gradient_penalty": math.nan},
    "--perceptual is 1e+300;": {"perceptual": 1e300},
    "--ratio 0.5 0.1: the first": {"ratio": (0.5, 0.1)},
    "--ratio is 0.9; it must be from 0 to 0.8": {"ratio": (0.1, 0.9)},
    "--ratio 0.0 3e-05 holds no whole number of pixels at --size 128": {"ratio": (0.0, 3e-5)},
    "--size 24 leaves layers of --lpips alex without pixels": {"size": 24},
    "--references floor,,telea: a name is missing": {"references": "floor,,telea"},
    "--references ,: a name is missing": {"references": ","},
    "--pictures some: give a number of pairs per bucket, all or none": {"pictures": "some"},
    "--pictures -1: give": {"pictures": "-1"},
    "--critic-end is 'relu'; it must be one of 'sigmoid', 'linear'": {"critic_end": "relu"},
    "--normalise is 1; it must be true or false": {"normalise": 1},
    "--width is 4.0; it must be a whole number": {"width": 4.0},
    "--width is True; it must be a whole number": {"width": True},
    "--lr is '1e-4'; it must be a number": {"lr": "1e-4"},
    "--images is None; it must be a text": {"images": None},
    "--images is 'a\\nb'; it must be a text that can be printed": {"images": "a\nb"},
    "unknown option 'widht'; did you mean width": {"widht": 3},
}
"""Texts of the errors, by what is wrong."""


@pytest.mark.parametrize("told", BAD)
def test_values_that_cannot_work_name_the_option(told: str) -> None:
    with pytest.raises(UserError) as caught:
        override(preset("quick"), BAD[told])
    assert str(caught.value).startswith(told) and "\n" not in str(caught.value)


def test_pictures_are_asked_for_by_number_or_word() -> None:
    asked = {"all": sys.maxsize, "none": 0, "0": 0, "12": 12}
    for text, number in asked.items():
        assert override(preset("quick"), {"pictures": text}).evaluation.pictured == number


def test_the_least_size_works_without_alexnet() -> None:
    override(preset("quick"), {"size": 16, "resize": 16, "lpips": "off"})


def test_every_number_has_bounds() -> None:
    for _, kind in sections():
        for item in dataclasses.fields(kind):
            first = item.default[0] if isinstance(item.default, tuple) else item.default
            if type(first) in (int, float):
                outside = (math.nan, math.inf, -math.inf, 10**400, -(10**400))
                assert not any(value in item.metadata["bounds"] for value in outside), item.name


def changed(section: str, **values: object) -> Callable[[Any], Any]:
    return lambda config: config | {section: config[section] | values}


DAMAGES: dict[str, Callable[[Any], Any]] = {
    "not a config, which holds preset, data, model": lambda c: [c],
    "not a config, which": lambda c: {k: v for k, v in c.items() if k != "data"},
    "not a config, ": lambda c: c | {"more": {}},
    "not a config: its 'model' is None": lambda c: c | {"model": None},
    "not a config of this program: 'model.width' is missing": lambda c: c | {"model": {}},
    "not a config of this program: it knows no 'data.x'": changed("data", x=1),
    "--width is '4'; it must be a whole number": changed("model", width="4"),
    "the preset is 7; it must be a text": lambda c: c | {"preset": 7},
}


@pytest.mark.parametrize("told", DAMAGES)
def test_a_damaged_config_is_told_in_one_line(told: str) -> None:
    with pytest.raises(UserError) as caught:
        from_dict(DAMAGES[told](json.loads(json.dumps(to_dict(preset("quick"))))))
    assert str(caught.value).startswith(told) and "\n" not in str(caught.value)


def test_an_older_config_may_lack_what_changes_no_result() -> None:
    values = to_dict(preset("quick"))
    del values["data"]["rehash"]
    assert from_dict(values) == preset("quick")


def test_a_config_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config("x").preset = "y"  # type: ignore[misc]


@pytest.mark.parametrize("path", ["/a/b", "./a", "../a", "~/a"])
def test_a_path_stands_for_a_folder_of_images_or_masks(path: str) -> None:
    found = Data(images=path, test_images=path, masks=path, test_masks=path)
    assert found.images == found.test_images == f"folder:{path}"
    assert found.masks == found.test_masks == f"masks:{path}"
    assert Data(images="bsds500", masks="nvidia:/a").masks == "nvidia:/a"
