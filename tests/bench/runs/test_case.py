"""The name of a case's run, and the command that makes it and no other."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from bench.cli import methods, options
from bench.cli.parser import build_parser
from bench.config import override
from bench.core.errors import UserError
from bench.presets import PRESETS, preset
from bench.registry import find
from bench.runs.case import LONGEST, Case

OUT = Path("some runs")


def parsed(words: list[str]) -> argparse.Namespace:
    return build_parser()[0].parse_args(words)


def test_the_name_carries_method_preset_tag_and_seed_of_a_training() -> None:
    config = override(preset("small"), {"seed": 3})
    assert Case(find("forward"), config, OUT).run.name == "forward-small-seed3"
    assert Case(find("forward"), config, OUT, "paris").run.name == "forward-small-paris-seed3"
    assert Case(find("telea"), config, OUT, "paris").run.path == OUT / "telea-small-paris"


def test_a_long_name_is_bounded_keeps_its_seed_and_differs_from_others() -> None:
    config = override(preset("small"), {"seed": 12})
    one, other = (Case(find("full"), config, OUT, "x" * 300 + end).run.name for end in "ab")
    assert len(one) == len(other) == LONGEST and one != other
    assert one.startswith("full-small-xxx") and one.endswith("-seed12")
    # The longest that is not cut: LONGEST characters together.
    fits = "x" * (LONGEST - len("full-small--seed12"))
    assert Case(find("full"), config, OUT, fits).run.name == f"full-small-{fits}-seed12"


@pytest.mark.parametrize("tag", ["../up", "a b", "-x", "."])
def test_a_tag_that_cannot_name_a_folder_is_refused(tag: str) -> None:
    with pytest.raises(UserError, match="use letters, digits"):
        Case(find("full"), preset("quick"), OUT, tag)


CHANGES: list[dict[str, Any]] = [
    {},
    {"seed": 7, "lr": 1.5e-5, "ratio": (0.15, 0.35), "betas": (0.0, 0.99)},
    {"images": "folder:my photos", "manifest": "-odd name.json", "rehash": True},
    {"normalise": False, "download": True, "precision": "bf16", "pictures": "none"},
]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("changed", CHANGES)
def test_the_words_of_a_case_are_parsed_to_the_same_case(
    name: str, changed: dict[str, Any]
) -> None:
    method = find("unlearned")
    case = Case(method, override(preset(name), changed), OUT, "tag")
    args = parsed(case.words())
    found = methods.chosen(args)
    assert found is method
    assert Case(found, options.config(args), args.out, args.name) == case
    methods.check(found, options.config(args), args)
