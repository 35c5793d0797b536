"""The grid of cases, and the names of launchers."""

from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import UserError
from bench.foreign.method import find
from bench.presets import preset
from bench.runs.case import Case
from bench.sweeps.grid import Grid
from bench.sweeps.launcher import Launcher, launcher

OUT = Path("runs")
QUICK = preset("quick")


def cases(grid: Grid, names: str = "full,forward", name: str = "") -> tuple[Case, ...]:
    return grid.cases([find(method) for method in names.split(",")], QUICK, OUT, name)


def test_all_combinations_seed_by_seed_with_the_axes_outside() -> None:
    sets: Any = {"a": {"masks": "shapes"}, "b": {"masks": "strokes", "steps": 7}}
    found = cases(Grid((0, 5), {"set": sets, "lr": {"low": {"lr": 1e-5}}}), name="x")
    assert [case.run.name for case in found] == [
        f"{method}-quick-x-{value}-low-seed{seed}"
        for value in "ab" for seed in (0, 5) for method in ("full", "forward")
    ]  # fmt: skip
    assert {case.config.training.lr for case in found} == {1e-5}
    assert [case.config.training.steps for case in found] == 4 * [220] + 4 * [7]
    assert [case.config.data.masks for case in found] == 4 * ["shapes"] + 4 * ["strokes"]


def test_an_option_is_taken_from_the_command_line_else_the_method_else_the_axes() -> None:
    axes: Any = {"set": {"a": {"steps": 1, "lr": 0.1, "width": 8}}}
    found = cases(Grid((0,), axes, {"forward": {"lr": 0.2, "width": 9}}, {"width": 10}))
    full, forward = (case.config for case in found)
    assert (full.training.steps, full.training.lr, full.model.width) == (1, 0.1, 10)
    assert (forward.training.steps, forward.training.lr, forward.model.width) == (1, 0.2, 10)


def test_an_algorithm_has_one_case_for_all_that_changes_nothing_for_it() -> None:
    axes: Any = {
        "lr": {"high": {"lr": 0.1}, "low": {"lr": 0.01}},
        "set": {"a": {"masks": "shapes"}, "b": {"masks": "strokes"}},
    }
    found = cases(Grid((0, 1), axes), "full,telea")
    assert len([case for case in found if case.method.name == "full"]) == 8
    assert [case.run.name for case in found if case.method.name == "telea"] == [
        "telea-quick-high-a", "telea-quick-high-b"
    ]  # fmt: skip


def test_two_trainings_that_differ_in_nothing_are_refused() -> None:
    axes: Any = {"set": {"a": {"lr": 0.1}, "b": {"lr": 0.1}}}
    with pytest.raises(UserError, match="full-quick-a-seed0 and full-quick-b-seed0 would be the"):
        cases(Grid((0,), axes))
    # An option that the command line sets to one value is no axis any more.
    other: Any = {"set": {"a": {"lr": 0.1}, "b": {"lr": 0.2}}}
    with pytest.raises(UserError, match="would be the same run"):
        cases(Grid((0,), other, typed={"lr": 0.3}))


def test_options_for_a_method_that_there_is_not_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean forward"):
        cases(Grid((0,), methods={"frward": {"lr": 0.1}}))
    assert len(cases(Grid((0,), methods={"3x3": {"lr": 0.1}}))) == 2  # one that is left out today


def test_options_of_a_model_stand_under_its_text_or_its_name() -> None:
    text = "command:true {images} {masks} {out}:name=of-grid"
    (case,) = cases(Grid((0,), methods={text: {"pictures": "4"}}), text)
    assert case.config.evaluation.pictures == "4"
    assert cases(Grid((0,), methods={"of-grid": {"pictures": "4"}}), text) == (case,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("here", Launcher("here")),
        ("local:3", Launcher("local", 3)),
        ("slurm", Launcher("slurm", 0)),
        ("slurm:8", Launcher("slurm", 8)),
        ("print", Launcher("print")),
    ],
)
def test_launchers_by_name(text: str, expected: Launcher) -> None:
    assert launcher(text) == expected


@pytest.mark.parametrize(
    "text", ["", "local", "local:", "local:0", "local:x", "local:-1", "local:²", "here:2", "ssh",
             "print:1", "slurm:0", "local:99999"]
)  # fmt: skip
def test_other_launchers_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="use here, local:N"):
        launcher(text)
